"""Tensors on disk: a directory of safetensors, read one tensor at a time, written one shard at a time.

A directory holds `model.safetensors`, or shards that `model.safetensors.index.json` names. Only headers
are read to know what is there; one file is open at a time; a tensor's bytes are mapped, not loaded, until
they are used. So a checkpoint of any size passes through the memory of one output shard.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from internvl_demo.errors import CheckpointError
from internvl_demo.models.convert.section import read_json

INDEX = "model.safetensors.index.json"
WHOLE = "model.safetensors"
DTYPES = {"BF16": "bfloat16", "F16": "float16", "F32": "float32"}
"""What weights may be stored as: safetensors' name -> torch's."""

_MAPPED_BYTES = 1 << 28
"""What is read of a file before it is opened anew: until then pages that were read count as the process's memory."""

_AGAIN = "Download or copy the checkpoint again."
_NAMED = 3
"""How many odd tensors an error names; the rest are counted."""


@dataclass(frozen=True)
class _Held:
    """Where a tensor lies, and what its file's header says of it."""

    file: Path
    dtype: str
    shape: tuple[int, ...]


class ShardReader:
    """The tensors of a directory, by name."""

    def __init__(self, folder: Path):
        """Read the headers. Raises CheckpointError when a file is missing or damaged."""
        self.folder = folder
        self._held: dict[str, _Held] = {}
        self._open: tuple[Path, Any] | None = None
        self._mapped_bytes = 0
        for file in _files(folder):
            self._read_header(file)

    def check(self, expected: Mapping[str, tuple[int, ...]]) -> None:
        """Raise CheckpointError unless exactly these tensors are there, with these shapes, as floats."""
        missing = [name for name in expected if name not in self._held]
        odd = sorted(name for name in self._held if name not in expected)
        if missing or odd:
            lacks = f"lacks {_some(missing)}" if missing else ""
            holds = f"holds {_some(odd)}, which such a checkpoint does not have" if odd else ""
            raise CheckpointError(
                f"{self.folder} {' and '.join(filter(None, (lacks, holds)))}.",
                f"{_AGAIN} Quantised checkpoints and adapters cannot be converted."
                if odd
                else f"{_AGAIN} If its files are whole, its config.json belongs to another checkpoint.",
            )
        for name, shape in expected.items():
            held = self._held[name]
            if held.shape != shape:
                raise CheckpointError(
                    f"The tensor {name!r} has the shape {_times(held.shape)}; config.json makes it {_times(shape)}.",
                    "Use the config.json that belongs to these weights.",
                )
            if held.dtype not in DTYPES:
                raise CheckpointError(
                    f"The tensor {name!r} is stored as {held.dtype}; weights are {', '.join(DTYPES)}.",
                    "Use the checkpoint that is not quantised.",
                )
        kinds: dict[str, str] = {}
        for name, held in self._held.items():
            kinds.setdefault(held.dtype, name)
        if len(kinds) > 1:
            examples = ", ".join(f"{name!r} as {dtype}" for dtype, name in kinds.items())
            raise CheckpointError(
                f"The tensors of {self.folder} are stored in different ways: {examples}.",
                "Store all weights in one of them.",
            )

    def dtype(self) -> str:
        """Return torch's name of the type in which all weights are stored, as `check` has verified."""
        return DTYPES[next(iter(self._held.values())).dtype]

    def get(self, name: str) -> torch.Tensor:
        """Read one tensor. Raises CheckpointError when its file can no longer be read."""
        file = self._held[name].file
        if self._open is None or self._open[0] != file or self._mapped_bytes > _MAPPED_BYTES:
            self._open = None  # the old file is closed before the next is opened
            self._open, self._mapped_bytes = (file, _open_file(file)), 0
        try:
            tensor: torch.Tensor = self._open[1].get_tensor(name)
        except SafetensorError as error:
            raise _unreadable(file, error) from error
        self._mapped_bytes += tensor.nbytes
        return tensor

    def _read_header(self, file: Path) -> None:
        opened = _open_file(file)
        for name in opened.keys():  # noqa: SIM118 - a file, not a dictionary
            if name in self._held:
                raise CheckpointError(
                    f"The tensor {name!r} lies in {self._held[name].file.name} and in {file.name}.", _AGAIN
                )
            header = opened.get_slice(name)
            self._held[name] = _Held(file, header.get_dtype(), tuple(header.get_shape()))


class ShardWriter:
    """Write tensors to files of at most `shard_bytes`, and their index."""

    def __init__(self, folder: Path, shard_bytes: int):
        self.folder, self.shard_bytes = folder, shard_bytes
        self._waiting: dict[str, torch.Tensor] = {}
        self._waiting_bytes = 0
        self._total_bytes = 0
        self._shards: list[list[str]] = []

    def add(self, name: str, tensor: torch.Tensor) -> None:
        """Take a tensor; write a file first if it would grow too large."""
        if self._waiting and self._waiting_bytes + tensor.nbytes > self.shard_bytes:
            self._flush()
        self._waiting[name] = tensor
        self._waiting_bytes += tensor.nbytes

    def finish(self) -> int:
        """Write what is left, name the files as `transformers` expects, and return how many there are."""
        self._flush()
        count = len(self._shards)
        if count == 1:
            self._part(1).rename(self.folder / WHOLE)
            return 1
        homes: dict[str, str] = {}
        for number, names in enumerate(self._shards, 1):
            file = f"model-{number:05}-of-{count:05}.safetensors"
            self._part(number).rename(self.folder / file)
            homes |= dict.fromkeys(names, file)
        index = {"metadata": {"total_size": self._total_bytes}, "weight_map": homes}
        (self.folder / INDEX).write_text(json.dumps(index, indent=2) + "\n", "utf-8")
        return count

    def _flush(self) -> None:
        self._shards.append(list(self._waiting))
        file = self._part(len(self._shards))
        save_file(self._waiting, file, metadata={"format": "pt"})
        file.chmod(0o644)  # safetensors writes files that only their owner can read
        self._total_bytes += self._waiting_bytes
        self._waiting, self._waiting_bytes = {}, 0

    def _part(self, number: int) -> Path:
        return self.folder / f"part-{number:05}.safetensors"


def _files(folder: Path) -> list[Path]:
    """Return the safetensors files of a directory, shards in order."""
    if not (folder / INDEX).is_file():
        if not (folder / WHOLE).is_file():
            raise CheckpointError(
                f"{folder} holds neither {WHOLE} nor {INDEX}.",
                "Use a checkpoint stored as safetensors; Python pickles (.bin, .pt) are not read.",
            )
        return [folder / WHOLE]
    homes = read_json(folder, INDEX).get("weight_map")
    if not isinstance(homes, dict) or not all(isinstance(file, str) for file in homes.values()):
        raise CheckpointError(f"{INDEX} in {folder} names no files.", _AGAIN)
    files = sorted(set(homes.values()))
    for file in files:
        if Path(file).name != file or not (folder / file).is_file():
            raise CheckpointError(f"{folder} lacks {file!r}, which {INDEX} names.", _AGAIN)
    return [folder / file for file in files]


def _open_file(file: Path) -> Any:
    try:
        return safe_open(file, framework="pt")
    except (SafetensorError, OSError) as error:
        raise _unreadable(file, error) from error


def _unreadable(file: Path, error: Exception) -> CheckpointError:
    reason = " ".join(str(error).split())[:200]
    return CheckpointError(f"{file} cannot be read: {reason}.", _AGAIN)


def _some(names: list[str]) -> str:
    named = ", ".join(repr(name[:200]) for name in names[:_NAMED])
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{'the tensor' if len(names) == 1 else 'the tensors'} {named}{more}"


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "()"
