"""How an answer is generated: what people may choose, what is refused, what differs from the host's."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from internvl_demo.conversation.options import (
    LIMITS,
    MAX_SYSTEM_CHARS,
    NAMES,
    OptionError,
    Options,
    differences,
    options_again,
    options_over,
)

HOST = Options(max_new_tokens=512, temperature=0.2)

REFUSED: dict[str, tuple[Any, ...]] = {
    "temperature": (-0.1, 2.1, math.nan, math.inf, -math.inf, "0.5", True, [], {}, 10**400),
    "top_p": (0, -1, 1.01, math.nan, "1", False, {"a": 1}),
    "repetition_penalty": (0, 0.99, 2.01, math.nan, "1.1", True),
    "max_new_tokens": (0, -1, 1.0, 100.5, "100", True, math.nan),
    "seed": (-1, 2**31, 1.0, "1", True, math.inf),
    "system": (1, 1.0, True, [], {"text": "Be brief."}, "x" * (MAX_SYSTEM_CHARS + 1)),
    "thinking": (0, 1, 1.0, "true", "", [], {}, math.nan),
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in REFUSED.items() for value in values], ids=str
)
def test_what_is_no_value_is_refused_in_two_sentences(name: str, value: object) -> None:
    with pytest.raises(OptionError) as refused:
        options_over({name: value}, HOST)
    what, next_step = refused.value.what, refused.value.next_step
    assert what.endswith(".") and next_step.endswith(".") and len(what) + len(next_step) < 200


@pytest.mark.parametrize("name", ["", "top_k", "Temperature", "max_tokens", "x" * 10_000, "{name}"])
@pytest.mark.parametrize("value", [None, 1, "a"])
def test_an_option_that_is_not_known_is_refused(name: str, value: object) -> None:
    with pytest.raises(OptionError, match="There is no option") as refused:
        options_over({name: value}, HOST)
    assert all(known in refused.value.next_step for known in NAMES)


@pytest.mark.parametrize(
    ("name", "value"),
    [("temperature", 0.5), ("temperature", 0.2), ("seed", 0), ("system", "Be brief."), ("max_new_tokens", 9)],
)
def test_what_the_host_has_fixed_is_refused_even_if_it_is_the_same(name: str, value: object) -> None:
    with pytest.raises(OptionError, match=f"fixed the option {name}"):
        options_over({name: value}, HOST, {"top_p", name})
    assert options_over({name: value}, HOST, {"top_p"}) != HOST or value == getattr(HOST, name)
    assert options_over({name: None}, HOST, {name}) == HOST


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({}, HOST),
        ({"temperature": None, "seed": None, "system": None}, HOST),
        ({"temperature": 0}, Options(512, 0.0)),
        ({"temperature": 2, "top_p": 0.01, "repetition_penalty": 2}, Options(512, 2.0, 0.01, None, 2.0)),
        ({"seed": 0}, Options(512, 0.2, seed=0)),
        ({"seed": 2**31 - 1}, Options(512, 0.2, seed=2**31 - 1)),
        ({"max_new_tokens": 1}, Options(1, 0.2)),
        ({"max_new_tokens": 10**30}, HOST),
        ({"system": " Be brief. "}, Options(512, 0.2, system=" Be brief. ")),
        ({"system": ""}, HOST),
        ({"system": " \n\u200b\t"}, HOST),
        ({"system": "x" * MAX_SYSTEM_CHARS}, Options(512, 0.2, system="x" * MAX_SYSTEM_CHARS)),
        ({"thinking": False}, HOST),
        ({"thinking": True}, Options(512, 0.6, thinking=True)),
        ({"thinking": True, "temperature": None}, Options(512, 0.6, thinking=True)),
        ({"thinking": True, "temperature": 0}, Options(512, 0.0, thinking=True)),
        ({"thinking": True, "temperature": 0.2}, Options(512, 0.2, thinking=True)),
        ({"system": "half \ud83d"}, Options(512, 0.2, system="half \ufffd")),
    ],
)
def test_what_is_chosen_stands_in_the_place_of_the_hosts(chosen: dict[str, Any], expected: Options) -> None:
    found = options_over(chosen, HOST)
    assert found == expected
    assert isinstance(found.temperature, float) and isinstance(found.max_new_tokens, int)


def test_asked_again_without_a_choice_is_asked_as_before() -> None:
    had = Options(100, 0.9, 0.8, 5, 1.2, "Be brief.")
    assert options_again(None, had, HOST) == had
    assert options_again(None, had, Options(50)) == Options(50, 0.9, 0.8, 5, 1.2, "Be brief.")
    fixed = options_again(None, had, HOST, {"temperature", "system", "seed"})
    assert fixed == Options(100, 0.2, 0.8, None, 1.2, None), "what the host has fixed since is the host's"


def test_thinking_leaves_a_temperature_that_the_host_has_fixed() -> None:
    assert options_over({"thinking": True}, HOST, {"temperature"}) == Options(512, 0.2, thinking=True)


@pytest.mark.parametrize(
    ("had", "expected"),
    [
        (Options(100, 0.6, thinking=True), Options(100, 0.2)),
        (Options(100, 0.9, thinking=True), Options(100, 0.9)),
        (Options(100, 0.6), Options(100, 0.6)),
    ],
)
def test_a_model_that_cannot_think_is_asked_again_without(had: Options, expected: Options) -> None:
    assert options_again(None, had, HOST) == had
    assert options_again(None, had, HOST, thinks=False) == expected
    assert options_again(None, had, HOST, {"thinking"}) == expected, "the host has fixed it since"
    with pytest.raises(OptionError, match="cannot think"):
        options_again({"thinking": True}, had, HOST, thinks=False)


@pytest.mark.parametrize(
    ("chosen", "longest"),
    [
        ({}, 100),
        ({"max_new_tokens": None}, 100),
        ({"max_new_tokens": 400}, 400),
        ({"max_new_tokens": 9999}, 512),
    ],
)
def test_asked_again_with_a_choice_stays_as_short_unless_told(chosen: dict[str, Any], longest: int) -> None:
    again = options_again({"seed": 7, **chosen}, Options(100, 0.9, 0.8, 5, 1.2, "Be brief."), HOST)
    assert again == Options(longest, 0.2, seed=7), "what is left out is as the host set it"


def test_differences_name_what_was_chosen() -> None:
    assert differences(HOST, HOST) == {}
    chosen = {"temperature": 0.7, "seed": 5, "system": "Be brief."}
    assert differences(options_over(chosen, HOST), HOST) == chosen
    assert differences(options_over({"temperature": 0.2, "max_new_tokens": 512}, HOST), HOST) == {}


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=8), ANYTHING, max_size=4))
def test_whatever_comes_is_within_the_limits_or_refused(chosen: dict[str, Any]) -> None:
    try:
        found = options_over(chosen, HOST)
    except OptionError as refused:
        assert refused.what and refused.next_step
        return
    for name, (least, most) in LIMITS.items():
        value = getattr(found, name)
        assert value is None or least <= value <= most
    assert 1 <= found.max_new_tokens <= HOST.max_new_tokens
    assert found.system is None or found.system.encode("utf-8")
    assert options_over(differences(found, HOST), HOST) == found
