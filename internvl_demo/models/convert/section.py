"""Read config.json: an object of it as a `Section`, whose values are checked as they are taken.

text = Section(json, "", folder).section("llm_config")
text.size("hidden_size")        # or a CheckpointError: "... llm_config.hidden_size in its config.json is 'wide'"
"""

import json
from pathlib import Path
from typing import Any

from internvl_demo.errors import CheckpointError

_MOST = 1 << 20


class Section:
    """One object of a config.json, or a configuration as such an object; errors name the setting."""

    def __init__(self, values: Any, name: str, source: Path):
        self.values: dict[str, Any] = values if isinstance(values, dict) else {}
        self.name, self.source = name, source

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value, or the default where it is missing or null."""
        value = self.values.get(key)
        return default if value is None else value

    def section(self, key: str) -> "Section":
        """Return the object under this key."""
        if not isinstance(self.values.get(key), dict):
            raise self.odd(key, "an object")
        return Section(self.values[key], f"{self.name}{key}.", self.source)

    def size(self, key: str, default: int | None = None, most: int = _MOST) -> int:
        """Return a whole number from 1 to `most`."""
        value = self.get(key, default)
        if type(value) is not int or not 1 <= value <= most:
            raise self.odd(key, f"a number from 1 to {most}")
        return value

    def number(self, key: str, default: float) -> float:
        """Return a positive number."""
        value = self.get(key, default)
        if type(value) not in (int, float) or not 0 < value < 1e12:
            raise self.odd(key, "a positive number")
        return float(value)

    def token(self, key: str) -> int | None:
        """Return the id of a token, None where it is none."""
        value = self.values.get(key)
        return value if type(value) is int else None

    def flag(self, key: str, default: bool) -> bool:
        """Return true or false."""
        value = self.get(key, default)
        if type(value) is not bool:
            raise self.odd(key, "true or false")
        return value

    def must(self, key: str, *allowed: Any, default: Any = None) -> Any:
        """Return the value, which has to be one of those allowed."""
        value = self.get(key, default)
        if not any(type(value) is type(one) and value == one for one in allowed):
            raise self.odd(key, " or ".join(repr(one) for one in allowed))
        return value

    def divides(self, key: str, by: str) -> None:
        """Raise unless the one size is a multiple of the other."""
        if self.size(key) % self.size(by):
            raise self.odd(key, f"a multiple of {by}, which is {self.size(by)}")

    def numbers(self, key: str, count: int) -> list[float]:
        """Return a list of `count` positive numbers."""
        values = self.get(key)
        right = isinstance(values, list) and len(values) == count
        if not right or not all(type(value) in (int, float) and 0 < value < 1e12 for value in values):
            raise self.odd(key, f"a list of {count} positive numbers")
        return [float(value) for value in values]

    def odd(self, key: str, wanted: str) -> CheckpointError:
        """Return the error that this setting is not what is wanted."""
        found = repr(self.values[key])[:80] if self.values.get(key) is not None else "missing"
        return CheckpointError(
            f"{self.source} is not a checkpoint of InternVL that can be read: "
            f"{self.name}{key} in its config.json is {found}; it must be {wanted}.",
            "Use a released checkpoint, such as OpenGVLab/Mini-InternVL-Chat-2B-V1-5, or one fine-tuned from it.",
        )


def read_json(folder: Path, name: str) -> dict[str, Any]:
    """Read a JSON object from a file. Raises CheckpointError when it is missing or not an object."""
    try:
        values = json.loads((folder / name).read_text("utf-8"))
    except FileNotFoundError:
        raise CheckpointError(
            f"{folder} holds no {name}.", "Name the directory that holds the checkpoint."
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(
            f"{folder / name} cannot be read: {reason}.", "Download or copy it again."
        ) from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{folder / name} is no JSON object.", "Download or copy it again.")
    return values
