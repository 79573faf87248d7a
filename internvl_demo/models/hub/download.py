"""Download a model's files from the hub: only what is needed, resumed where it stopped, with its progress.

    files = list_files("OpenGVLab/Mini-InternVL-Chat-2B-V1-5")    # one request
    files.bytes_left                                               # 4.4e9
    folder = download(files, progress)                             # bytes done -> the snapshot's folder

huggingface_hub keeps its cache, its lock files and its settings (HF_HOME, HF_ENDPOINT, HF_HUB_OFFLINE, HF_TOKEN). What
it does not keep is a file of which only a part came: its version 2 deletes that. So the weights, which are nearly all
of the bytes, are fetched here to `blobs/<name>.part` and go on from there, after a lost connection as after the end of
the app; a whole one is moved to `blobs/<name>`, where the library finds and links it. The library compares lengths
only, so `checks` holds what came against the hub's hashes first. Code (`*.py`) and pictures are never fetched.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, constants, hf_hub_download, hf_hub_url, snapshot_download
from huggingface_hub.errors import OfflineModeIsEnabled
from huggingface_hub.file_download import http_get, repo_folder_name
from huggingface_hub.utils import (  # type: ignore[attr-defined]  # which exports them all the same
    build_hf_headers,
    disable_progress_bars,
)

from internvl_demo.errors import CheckpointError
from internvl_demo.models.hub.checks import check_large, check_small
from internvl_demo.models.hub.errors import as_our_error, is_network

WANTED = ["*.json", "*.jinja", "*.safetensors", "tokenizer.model", "merges.txt"]
_FOLDERS = ["*/*"]
_LARGE_BYTES = 10_000_000
"""From here on a file is fetched so that it can be resumed."""

Progress = Callable[[int], object]
"""Is told the bytes that are here, again and again. What it raises ends the download."""

Checked = Callable[[str, float], object]
"""Is told which large file is compared with the hub's hash, and how much of it, from 0 to 1. May raise as well."""


@dataclass(frozen=True)
class RemoteFile:
    """A file of a model. `blob`: the name of its content in the cache, "" for a small one. `here`: it is whole.

    digest: the hub's sha256, or git's sha1 of a file that is stored in git; "" where the hub tells none.
    """

    name: str
    size: int
    blob: str
    here: bool
    digest: str = ""

    def part(self, model: str) -> Path:
        """Return where the part of a large file lies that has come."""
        return _folder(model) / "blobs" / f"{self.blob}.part"

    def part_bytes(self, model: str) -> int:
        """Return how much of it has come, while it is not whole."""
        return _size(self.part(model)) if self.blob else 0


@dataclass(frozen=True)
class Files:
    """What a model consists of, and what of it is on this machine. `folder`: where all of it is, if it is."""

    model: str
    commit: str
    files: tuple[RemoteFile, ...]
    folder: Path | None = None

    @property
    def total_bytes(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def bytes_here(self) -> int:
        """Bytes that need not be downloaded any more, parts of files included."""
        return sum(file.size if file.here else file.part_bytes(self.model) for file in self.files)

    @property
    def bytes_left(self) -> int:
        """Bytes to download, and to write."""
        return 0 if self.folder else self.total_bytes - self.bytes_here


def list_files(model: str) -> Files:
    """Return what the hub has of a model; from the cache where the hub cannot be asked. Raises CheckpointError."""
    try:
        info = HfApi().model_info(model, files_metadata=True)
    except Exception as error:
        if isinstance(error, OfflineModeIsEnabled) or is_network(error):
            folder = cached(model)
            if folder:
                return Files(model, folder.name, (), folder)
        raise as_our_error(error, model) from error
    commit = str(info.sha)
    files = [
        RemoteFile(each.rfilename, each.size or 0, _blob(each), _is_here(model, commit, each), _digest(each))
        for each in info.siblings or []
        if "/" not in each.rfilename and any(fnmatch(each.rfilename, pattern) for pattern in WANTED)
    ]
    if not any(file.name.endswith(".safetensors") for file in files):
        raise CheckpointError(
            f"{model} holds no weights as safetensors.",
            "Choose a checkpoint that does; Python pickles (.bin, .pt) are not read.",
        )
    return Files(model, commit, tuple(files))


def cached(model: str) -> Path | None:
    """Return the folder of a model that has been downloaded as a whole; None where it has not."""
    try:
        return Path(
            snapshot_download(model, allow_patterns=WANTED, ignore_patterns=_FOLDERS, local_files_only=True)
        )
    except OSError:
        return None


def small_text(files: Files, name: str) -> str | None:
    """Return a small text file of a model; None where there is none of that name. Raises CheckpointError."""
    if files.folder:
        return text_in(files.folder, name)
    if all(file.name != name for file in files.files):
        return None
    return small_file(files.model, name, files.commit)


def small_file(model: str, name: str, commit: str | None = None) -> str:
    """Return the text of a model's file, downloaded if it is not here. Raises CheckpointError."""
    try:
        return Path(hf_hub_download(model, name, revision=commit)).read_text("utf-8")
    except Exception as error:
        raise as_our_error(error, model) from error


def text_in(folder: Path, name: str) -> str | None:
    """Return a text file of a folder; None where there is none of that name."""
    path = folder / name
    return path.read_text("utf-8") if path.is_file() else None


def download(files: Files, progress: Progress, checked: Checked = lambda _, __: None) -> Path:
    """Bring all files; return their folder. Raises what huggingface_hub raises, and what is told of it raises.

    Raises CheckpointError where a file is not what the hub says that it is; it is removed.
    """
    if files.folder:
        return files.folder
    disable_progress_bars()
    counter = _Counter(progress, files.bytes_here)
    for file in files.files:
        if file.blob and not file.here:
            _fetch(files, file, counter, checked)
    folder = Path(snapshot_download(files.model, allow_patterns=WANTED, ignore_patterns=_FOLDERS))
    for file in files.files:
        if not file.blob and (folder / file.name).is_file():
            check_small(folder / file.name, file.digest, files.model)
    progress(files.total_bytes)
    return folder


def _fetch(files: Files, file: RemoteFile, counter: "_Counter", checked: Checked) -> None:
    """Bring one large file to its place among the blobs, from where an earlier try stopped."""
    part = file.part(files.model)
    part.parent.mkdir(parents=True, exist_ok=True)
    bar: Any = counter.over(_size(part))
    with part.open("ab") as opened:
        http_get(
            hf_hub_url(files.model, file.name, revision=files.commit),
            opened,
            resume_size=_size(part),
            headers=build_hf_headers(),
            expected_size=file.size,
            tqdm_class=bar,
        )
    check_large(part, file.digest, files.model, file.name, lambda share: checked(file.name, share))
    part.replace(part.with_suffix(""))


class _Counter:
    """Takes the place of a progress bar: counts bytes, and tells them."""

    def __init__(self, progress: Progress, done: int):
        self.progress, self.done = progress, done
        progress(done)

    def over(self, counted: int) -> Callable[..., "_Counter"]:
        """Return what makes the bar of a file of which so many bytes are counted already."""

        def bar(initial: int = 0, **_: object) -> "_Counter":
            self.update(initial - counted)
            return self

        return bar

    def update(self, count: float | None = 1) -> None:
        """Count bytes; negative where some have to come again."""
        self.done += int(count or 0)
        self.progress(self.done)

    def __enter__(self) -> "_Counter":
        return self

    def __exit__(self, *_: object) -> None:
        return None


def _blob(sibling: Any) -> str:
    """Return the name of a large file's content in the cache: its sha256."""
    large = sibling.lfs is not None and (sibling.size or 0) > _LARGE_BYTES
    return str(sibling.lfs.sha256) if large else ""


def _digest(sibling: Any) -> str:
    return str(sibling.lfs.sha256) if sibling.lfs is not None else str(sibling.blob_id or "")


def _is_here(model: str, commit: str, sibling: Any) -> bool:
    folder = _folder(model)
    blob = folder / "blobs" / _blob(sibling) if _blob(sibling) else None
    return (folder / "snapshots" / commit / sibling.rfilename).is_file() or bool(blob and blob.is_file())


def _folder(model: str) -> Path:
    return Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=model, repo_type="model")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
