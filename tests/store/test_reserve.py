"""A disk that is full: nothing more is kept, but people can delete, and the next start works."""

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from internvl_demo.conversation.turns import Attachment
from internvl_demo.store import Store, reserve
from internvl_demo.store.faults import StoreError
from internvl_demo.store.reserve import FILE, SIZES, Reserve
from tests.support.stores import RED, Clock, answered, asked, open_at

Deed = Callable[[Store, str], object]

FREEING: dict[str, Deed] = {
    "delete": lambda store, id_: store.delete("me", id_),
    "undo": lambda store, id_: store.undo("me", id_),
    "remove a photo": lambda store, _: store.remove_photo("me", store.add_photo("me", RED).id),
    "sweep": lambda store, _: store.sweep(),
}
KEEPING: dict[str, Deed] = {
    "ask": lambda store, id_: asked(store, "me", id_, "More?"),
    "edit": lambda store, id_: store.edit(
        "me", id_, store.record("me", id_).questions[0].id, "Other?", version_id="v9", model="model"
    ),
    "rename": lambda store, id_: store.rename("me", id_, "Name"),
    "add a photo": lambda store, _: store.add_photo("me", RED),
}


def given_up_by(store: Store, deed: Deed, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether a deed may use the reserve."""
    conversation = asked(store, "me", None, "Who?")
    used: list[bool] = []
    take = Reserve.take

    def noted(self: Reserve) -> None:
        used.append(not self._path.exists())
        take(self)

    with monkeypatch.context() as patched:
        patched.setattr(Reserve, "take", noted)
        deed(store, conversation)
    return any(used)


@pytest.mark.parametrize("deed", FREEING)
def test_what_frees_room_may_use_the_reserve(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deed: str
) -> None:
    assert given_up_by(store, FREEING[deed], monkeypatch)
    assert (tmp_path / "data" / FILE).stat().st_size == SIZES[0]


@pytest.mark.parametrize("deed", KEEPING)
def test_what_takes_room_may_not(store: Store, monkeypatch: pytest.MonkeyPatch, deed: str) -> None:
    assert not given_up_by(store, KEEPING[deed], monkeypatch)


def test_the_reserve_really_takes_room(store: Store, tmp_path: Path) -> None:
    assert store
    assert (tmp_path / "data" / FILE).stat().st_blocks * 512 >= SIZES[0]


@pytest.mark.skipif(sys.platform != "linux", reason="how room is taken")
def test_a_reserve_is_as_large_as_there_is_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def room_for_three(file: int, start: int, size: int) -> None:
        tried.append(size)
        if size > SIZES[-3]:
            raise OSError(errno.ENOSPC, "No space left on device")
        os.ftruncate(file, start + size)

    monkeypatch.setattr(reserve.os, "posix_fallocate", room_for_three)
    Reserve(tmp_path).take()
    assert tried == list(SIZES[:-2]) and (tmp_path / FILE).stat().st_size == SIZES[-3]
    (tmp_path / FILE).unlink()
    monkeypatch.setattr(reserve, "SIZES", SIZES[:2])
    Reserve(tmp_path).take()
    assert not (tmp_path / FILE).exists(), "and it works without one"


def test_a_full_disk_at_the_start_is_told_to_the_host(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_at(tmp_path, clock).close()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("internvl_demo.store.writes.interrupt", full)
        with pytest.raises(StoreError, match="no space left in") as refused:
            open_at(tmp_path, clock)
    assert str(tmp_path) in refused.value.what and "--data-dir" in refused.value.next_step
    open_at(tmp_path, clock).close()


# A real one


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 12 MB, where this user may mount one."""
    disk = tmp_path / "data"
    disk.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if not mount or not umount:
        pytest.skip("no program mounts a disk here")
    if subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=12m", "tmpfs", disk], capture_output=True
    ).returncode:
        pytest.skip("this user may not mount a disk")
    yield disk
    subprocess.run([umount, "-l", disk], check=True)


def fill(disk: Path) -> None:
    """Write until nothing more fits."""
    with (
        pytest.raises(OSError, match="No space"),
        (disk / f"filler {os.urandom(4).hex()}").open("wb", 0) as file,
    ):
        while True:
            file.write(bytes(4096))


def test_people_can_delete_on_a_full_disk(small_disk: Path, tmp_path: Path, clock: Clock) -> None:
    store = open_at(tmp_path, clock)
    conversations = [
        asked(store, "me", None, f"{number} " * 5000, [Attachment(RED, 1)]) for number in range(8)
    ]
    answered(store, "me", conversations[0], "word " * 10_000)
    fill(small_disk)
    for _ in range(2):
        with pytest.raises(StoreError, match="disk is full") as refused:
            asked(store, "me", conversations[1], "again " * 5000)
        assert "delete" in refused.value.next_step
    store.close()
    fill(small_disk)
    store = open_at(tmp_path, clock)  # a start needs some room, too
    fill(small_disk)
    store.delete("me", conversations.pop())
    conversations.append(asked(store, "me", None, "Is there room again?"))
    for conversation in conversations:
        fill(small_disk)  # somebody else does
        store.delete("me", conversation)
    assert store.entries("me") == []
    assert (small_disk / FILE).stat().st_size >= SIZES[-1]
    store.close()
