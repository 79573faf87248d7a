"""Compare what came from the hub with the hub's own hashes: a damaged file of the right length answers, but badly.

Large files are stored beside git, and the hub tells their sha256; the others are git's own, and it tells the sha1 that
git gives them. A file that is not what it should be is removed, so that the next start brings it again.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

from huggingface_hub.utils.sha import git_hash

from internvl_demo.errors import CheckpointError

_READ_BYTES = 1 << 24
_SHA256_CHARS = 64


def check_large(path: Path, digest: str, model: str, name: str, progress: Callable[[float], object]) -> None:
    """Raise CheckpointError, and remove the file, unless it has this sha256. progress: is told 0 to 1; may raise."""
    sha, done, size = hashlib.sha256(), 0, max(1, path.stat().st_size)
    with path.open("rb") as opened:
        while block := opened.read(_READ_BYTES):
            sha.update(block)
            done += len(block)
            progress(done / size)
    if sha.hexdigest() != digest:
        path.unlink()
        raise _damaged(name, model)


def check_small(path: Path, digest: str, model: str) -> None:
    """Do the same for a file of a snapshot that is read at once; "": the hub has told no hash."""
    data = path.read_bytes()
    found = hashlib.sha256(data).hexdigest() if len(digest) == _SHA256_CHARS else git_hash(data)
    if digest and found != digest:
        content = path.resolve()
        path.unlink()
        content.unlink(missing_ok=True)
        raise _damaged(path.name, model)


def _damaged(name: str, model: str) -> CheckpointError:
    return CheckpointError(
        f"{name} of {model} came damaged: it does not have the hash that the hub tells. It has been removed.",
        "Start again: only that file is downloaded anew. Where it happens again, check the disk, the memory and what "
        "stands between this machine and the hub, such as a proxy, or set HF_ENDPOINT to another hub.",
    )
