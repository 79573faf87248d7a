"""The settings name one model or several: which they are, what they are called, and whose key is whose."""

import pytest

from internvl_demo.errors import SetupError
from internvl_demo.models.places import Place, places_of
from internvl_demo.settings import NANO_CHECKPOINT, Settings

NANO = str(NANO_CHECKPOINT)
FAST, FAR = "fast=http://gpu:23333", "far=https://far.example/v1?a=b"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"model": ["mini-2b", "mini-2b"]}, "Two models have the name mini-2b"),
        ({"endpoint": ["http://a", "http://b"]}, "Two models have the name server"),
        ({"endpoint": [FAST, FAST]}, "Two models have the name fast"),
        ({"endpoint": [FAST, FAR], "api_key": "secret"}, "whose API key"),
        ({"endpoint": [FAST, FAR], "api_key": "fast=a slow=b"}, "whose API key"),
        ({"endpoint": [FAST], "api_key": "secret"}, "whose API key"),
    ],
)
def test_what_is_not_clear_is_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(SetupError, match=words) as refused:
        places_of(Settings(**settings))
    assert refused.value.next_step and "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("settings", "places"),
    [
        ({}, [Place("miniature", "checkpoint", NANO)]),
        ({"checkpoint": "/models/mine/"}, [Place("mine", "checkpoint", "/models/mine/")]),
        ({"serve": "OpenGVLab/InternVL3-8B"}, [Place("InternVL3-8B", "serve", "OpenGVLab/InternVL3-8B")]),
        (
            {"endpoint": "http://a", "model": "theirs", "api_key": "k=1"},
            [Place("server", "endpoint", "http://a", "theirs", "k=1")],
        ),
        (
            {"model": ["mini-2b", "miniature"]},
            [Place("mini-2b", "model", "mini-2b"), Place("miniature", "checkpoint", NANO)],
        ),
        (
            {"endpoint": [FAST, FAR], "api_key": "far=k=1", "model": "mini-2b"},
            [
                Place("fast", "endpoint", "http://gpu:23333"),
                Place("far", "endpoint", "https://far.example/v1?a=b", None, "k=1"),
                Place("mini-2b", "model", "mini-2b"),
            ],
        ),
    ],
)
def test_the_settings_name_the_models(settings: dict[str, object], places: list[Place]) -> None:
    assert places_of(Settings(**settings)) == places


def test_the_environment_names_several_with_spaces_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERNVL_MODEL", "mini-2b  miniature")
    monkeypatch.setenv("INTERNVL_ENDPOINT", FAST)
    assert [place.id for place in places_of(Settings())] == ["fast", "mini-2b", "miniature"]
    assert [place.title for place in places_of(Settings())] == ["fast", "", ""]
