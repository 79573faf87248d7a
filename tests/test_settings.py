"""A host's choices: what cannot be is named, with where it was said."""

import pytest

from internvl_demo.conversation.options import NAMES
from internvl_demo.errors import SetupError
from internvl_demo.settings import read_settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("INTERNVL_PORT", "abc"),
        ("INTERNVL_PORT", "70000"),
        ("INTERNVL_PORT", "tcp://10.0.0.1:80"),  # what Kubernetes sets where a service is called internvl
        ("internvl_port", "0"),
        ("INTERNVL_KEEP_DAYS", "-3"),
        ("INTERNVL_KEEP_DAYS", "1.5"),
        ("INTERNVL_TEMPERATURE", "nan"),
        ("INTERNVL_TEMPERATURE", "inf"),
        ("INTERNVL_DIALECT", "openai"),
        ("INTERNVL_AWQ", "perhaps"),
        ("INTERNVL_FIXED_OPTIONS", "top_k"),
        ("INTERNVL_TP", "9"),
    ],
)
def test_a_value_that_cannot_be_is_named_with_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SetupError) as refused:
        read_settings()
    assert name.upper() in refused.value.what and repr(value) in refused.value.what
    assert name.upper() in refused.value.next_step


def test_a_value_of_a_flag_is_named_with_its_flag() -> None:
    with pytest.raises(SetupError, match=r"--keep-days is not usable \(-1\)"):
        read_settings(keep_days=-1)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("INTERNVL_PROT", "INTERNVL_PORT"),
        ("internvl_key", ""),
        ("INTERNVL_APIKEY", "INTERNVL_API_KEY"),
        ("INTERNVL_IMPORT", ""),
        ("INTERNVL_", ""),
    ],
)
def test_a_variable_that_is_no_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, meant: str
) -> None:
    monkeypatch.setenv(name, "secret words")
    with pytest.raises(SetupError, match=name) as refused:
        read_settings()
    assert meant in refused.value.next_step
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("INTERNVL_PORT", ""),
        ("INTERNVL_ENDPOINT", ""),
        ("INTERNVL_SERVICE_HOST", "10.0.0.1"),
        ("INTERNVL_SERVICE_PORT_HTTP", "80"),
        ("INTERNVL_PORT_80_TCP", "tcp://10.0.0.1:80"),
        ("INTERNVL_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("INTERNVL_DEMO_PORT", "tcp://10.0.0.1:80"),
        ("INTERNVL_DEMO_SERVICE_HOST", "10.0.0.1"),
        ("MY_INTERNVL_PORT", "x"),
    ],
)
def test_what_a_platform_sets_is_no_setting(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.delenv("INTERNVL_PORT", raising=False)
    monkeypatch.setenv(name, value)
    settings = read_settings()
    assert (settings.port, settings.endpoint) == (None, ())


def test_a_flag_wins_over_a_variable_that_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERNVL_PORT", "tcp://10.0.0.1:80")
    assert read_settings(port=7861).port == 7861


@pytest.mark.parametrize("value", ["seed,system", "seed system", " seed, system ,", "system,,seed,seed"])
def test_fixed_options_are_names_with_commas_between(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("INTERNVL_FIXED_OPTIONS", value)
    assert read_settings().fixed_options == {"seed", "system"}


def test_every_option_of_an_answer_may_be_fixed() -> None:
    assert read_settings(fixed_options=set(NAMES)).fixed_options == set(NAMES)
    assert read_settings().fixed_options == frozenset()
