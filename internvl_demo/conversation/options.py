"""Say how an answer is generated, within what a host allows. Every backend takes this value, and the store keeps it.

    Options(max_new_tokens=512, temperature=0.7, system="Answer in one word.")

    options_over({"temperature": 0.7}, host)                     -> the host's options with that in their place
    options_over({"thinking": True}, host)                       -> the same, at the temperature for thinking
    options_over({"seed": 5}, host, fixed={"seed"})              -> OptionError: the host has fixed it
    options_again(None, had, host)                               -> as it was asked before
    differences(options, host)                                   -> {"temperature": 0.7}

Values come from people and programs: whatever is not a number in its limits is refused with two sentences.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields, replace
from types import MappingProxyType
from typing import Any

from internvl_demo.conversation.prompt import well_formed
from internvl_demo.conversation.turns import is_blank
from internvl_demo.errors import DemoError

MAX_SYSTEM_CHARS = 4000
"""The longest system prompt: some 700 words of English."""

LIMITS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"temperature": (0, 2), "top_p": (0.01, 1), "repetition_penalty": (1, 2), "seed": (0, 2**31 - 1)}
)
"""The least and the most of each number that is not the host's to bound."""


THINKING_TEMPERATURE = 0.6
"""At which a model thinks where nobody chose another: InternVL3.5's model card recommends it against repetition."""


class OptionError(DemoError):
    """An option is not known, has no such value, or is fixed by the host."""


@dataclass(frozen=True)
class Options:
    """How an answer is generated. Temperature 0 is greedy; a repetition penalty of 1 is none; without a `seed` each
    answer has its own; `system` takes the place of the model's own system prompt (None: it stays); with `thinking` a
    model that can thinks before it answers."""

    max_new_tokens: int = 1024
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    repetition_penalty: float = 1.0
    system: str | None = None
    thinking: bool = False


NAMES = tuple(field.name for field in fields(Options))


def limits(host: Options) -> dict[str, tuple[float, float]]:
    """Return the least and the most of each number."""
    return {"max_new_tokens": (1, host.max_new_tokens), **LIMITS}


def options_over(given: Mapping[str, Any], host: Options, fixed: Collection[str] = ()) -> Options:
    """Return the host's options with the given ones in their place; None stands for the host's.

    Never a longer answer than the host allows. Who asks for thinking, and for no temperature, gets that for thinking.
    Raises OptionError on one that is not known, not usable, or fixed.
    """
    usable: dict[str, Any] = {name: _usable(name, value, host, fixed) for name, value in given.items()}
    chosen = {name: value for name, value in usable.items() if value is not None}
    if chosen.get("thinking") and "temperature" not in (*chosen, *fixed):
        chosen["temperature"] = THINKING_TEMPERATURE
    return replace(host, **chosen)


def options_again(
    given: Mapping[str, Any] | None,
    had: Options,
    host: Options,
    fixed: Collection[str] = (),
    *,
    thinks: bool = True,
) -> Options:
    """Return how to ask again what was asked with `had`: as it was, or as `options_over` where options are given.

    A longest answer that is not given stays as short as it was: a longer one may not fit. thinks: whether the model
    that is asked this time can think; one that cannot is asked without. Raises OptionError.
    """
    most = min(had.max_new_tokens, host.max_new_tokens)
    if given is None:
        as_it_was = had if thinks and "thinking" not in fixed else _without_thinking(had, host)
        return replace(as_it_was, max_new_tokens=most, **{name: getattr(host, name) for name in fixed})
    options = checked_thinking(options_over(given, host, fixed), thinks=thinks)
    return options if given.get("max_new_tokens") else replace(options, max_new_tokens=most)


def checked_thinking(options: Options, *, thinks: bool) -> Options:
    """Return the options of a model that can think, or need not. Raises OptionError on any other."""
    if options.thinking and not thinks:
        raise OptionError(
            "This model cannot think before it answers.",
            "Leave the option thinking out, or choose a model that can, such as InternVL3.5.",
        )
    return options


def _without_thinking(options: Options, host: Options) -> Options:
    """Return the options without thinking, and without the temperature that came with it."""
    came = options.thinking and options.temperature == THINKING_TEMPERATURE
    return replace(options, thinking=False, temperature=host.temperature if came else options.temperature)


def differences(options: Options, host: Options) -> dict[str, Any]:
    """Return the options that are not as the host set them; of thinking its temperature, too, which is its own."""
    usual = asdict(host)
    told = ("temperature",) if options.thinking else ()
    return {name: value for name, value in asdict(options).items() if value != usual[name] or name in told}


def _usable(name: str, value: object, host: Options, fixed: Collection[str]) -> str | float | None:
    """Return the value as an option holds it; None where it asks for nothing. Raises OptionError."""
    if name not in NAMES:
        raise OptionError(
            "There is no option {name}.", "The options are {names}.", name=name[:40], names=", ".join(NAMES)
        )
    if value is None:
        return None
    if name in fixed:
        raise OptionError("The host of this page has fixed the option {name}.", "Leave it out.", name=name)
    if name == "thinking":
        return _switch(name, value)
    return _system(value) if name == "system" else _number(name, value, host)


def _switch(name: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise OptionError(
        "{value} is not usable as {name}.", "Give true or false.", value=_shown(value), name=name
    )


def _system(value: object) -> str | None:
    if not isinstance(value, str):
        raise OptionError("The system prompt is not a text.", "Send it in quotation marks.")
    if len(value) > MAX_SYSTEM_CHARS:
        raise OptionError(
            "The system prompt is longer than {most} characters.",
            "Shorten it to what every answer needs.",
            most=f"{MAX_SYSTEM_CHARS:,}",
        )
    return None if is_blank(value) else well_formed(value)


def _number(name: str, value: object, host: Options) -> float:
    whole = name in ("max_new_tokens", "seed")
    least, most = limits(host)[name]
    if isinstance(value, int if whole else (int, float)) and not isinstance(value, bool):
        if name == "max_new_tokens":
            value = min(value, host.max_new_tokens)
        if least <= value <= most:
            return value if whole else float(value)
    shown = _shown(value)
    if whole:
        raise OptionError(
            "{value} is not usable as {name}.",
            "Give a whole number from {least} to {most}.",
            value=shown,
            name=name,
            least=str(least),
            most=str(most),
        )
    raise OptionError(
        "{value} is not usable as {name}.",
        "Give a number from {least} to {most}.",
        value=shown,
        name=name,
        least=str(least),
        most=str(most),
    )


def _shown(value: object) -> str:
    """Return a value that was refused as an error shows it."""
    return repr(value)[:40] if isinstance(value, (int, float, str)) else type(value).__name__
