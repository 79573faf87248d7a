"""How many photos at once: in one message, waiting to be sent, added by many threads; and what that costs."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.errors import PhotoError
from internvl_demo.photos import limits
from internvl_demo.photos.photo import Photo
from internvl_demo.store import Store
from internvl_demo.store import files as files_module
from tests.support.pictures import noise, picture, saved
from tests.support.stores import (
    BLUE,
    DAY,
    RED,
    Clock,
    files,
    kept,
    photo_ids,
)
from tests.support.uploads import png

# Bounds


def test_a_message_takes_sixteen_pictures(store: Store) -> None:
    images = kept(store, "me", [Attachment(replace(RED, name=f"{n}.png"), 1) for n in range(17)])
    with pytest.raises(PhotoError, match="16 pictures at most") as raised:
        store.ask("me", None, "Many?", images, version_id="v1", model="model")
    assert raised.value.next_step == "Send these first, or remove some."
    assert store.entries("me") == []
    store.ask("me", None, "Many?", images[:16], version_id="v1", model="model")


def test_a_message_takes_200_megapixels(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MESSAGE_PIXELS", 2 * 63)
    images = kept(store, "me", [Attachment(photo, 1) for photo in (RED, BLUE, replace(RED, name="x"))])
    with pytest.raises(PhotoError, match="megapixels together"):
        store.ask("me", None, "Large?", images, version_id="v1", model="model")
    store.ask("me", None, "Large?", images[:2], version_id="v1", model="model")


def test_what_waits_to_be_sent_is_bounded_by_owner(
    store: Store, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "UNSENT_PICTURES", 3)
    photos = [store.add_photo("me", RED, f"{number}.png") for number in range(3)]
    with pytest.raises(PhotoError, match="not sent yet") as raised:
        store.add_photo("me", BLUE)
    assert "Send or remove" in raised.value.next_step and len(files(tmp_path)) == 1
    store.add_photo("you", BLUE)
    store.ask("me", None, "?", (Attachment(photos[0], 1),), version_id="v1", model="model")
    store.add_photo("me", BLUE)
    with pytest.raises(PhotoError):
        store.add_photo("me", BLUE, "more.png")
    store.remove_photo("me", photos[1].id)
    store.add_photo("me", BLUE, "more.png")
    clock.now += DAY + 1
    for number in range(3):
        store.add_photo("me", BLUE, f"tomorrow {number}.png")


def test_what_waits_to_be_sent_is_bounded_in_bytes(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    data = saved(noise(100, 80), "PNG")
    monkeypatch.setattr(limits, "UNSENT_BYTES", len(data) + 1)
    store.add_photo("me", data, "a")
    store.add_photo("me", data, "b")
    with pytest.raises(PhotoError, match="not sent yet"):
        store.add_photo("me", png())
    store.add_photo("you", png())


@pytest.mark.parametrize("bound", ["ALL_UNSENT_PICTURES", "ALL_UNSENT_BYTES"])
def test_what_waits_of_all_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch, bound: str) -> None:
    monkeypatch.setattr(limits, bound, 3 if bound.endswith("PICTURES") else 3 * len(png()))
    for number in range(3):
        store.add_photo(f"somebody {number}", png())
    with pytest.raises(PhotoError, match="as many unsent pictures") as raised:
        store.add_photo("me", png())
    assert "later" in raised.value.next_step


def test_refused_for_the_quota_it_is_not_even_decoded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "UNSENT_PICTURES", 0)
    monkeypatch.setattr("internvl_demo.store.photos.clean_file", lambda _: pytest.fail("decoded"))
    with pytest.raises(PhotoError, match="not sent yet"):
        store.add_photo("me", png())


# Many at once


def test_a_file_that_is_being_written_has_no_photos_name(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[set[str]] = []
    monkeypatch.setattr(os, "fsync", lambda _: seen.append(files(tmp_path)))
    store.add_photo("me", RED)
    ((name,),) = seen
    assert name.endswith(".new") and photo_ids(tmp_path) == {RED.id}


@pytest.mark.parametrize("owners", [1, 8])
def test_the_same_new_picture_from_eight_tabs(store: Store, tmp_path: Path, owners: int) -> None:
    data = saved(noise(60, 50), "JPEG")
    at_once = threading.Barrier(8)

    def add(number: int) -> set[Photo]:
        at_once.wait()
        return {store.add_photo(f"owner {number % owners}", data, "same.jpg") for _ in range(12)}

    with ThreadPoolExecutor(8) as threads:
        added = list(threads.map(add, range(8)))
    assert len(set().union(*added)) == owners and len(files(tmp_path)) == 1
    assert all(photo.image.size == (60, 50) for photos in added for photo in photos)


def test_adding_and_deleting_at_once_loses_no_file(store: Store, tmp_path: Path) -> None:
    data, at_once = saved(noise(40, 30), "JPEG"), threading.Barrier(4)

    def use(number: int) -> None:
        at_once.wait()
        for _ in range(10):
            photo = store.add_photo(f"owner {number}", data, "same.jpg")
            record = store.ask(
                f"owner {number}",
                None,
                "?",
                (Attachment(photo, 1),),
                version_id=os.urandom(8).hex(),
                model="m",
            )
            assert store.photo_file(photo.id)[0].exists() and photo.image.size == (40, 30)
            store.delete(f"owner {number}", record.id)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(use, range(4)))
    assert files(tmp_path) == set()


# Memory and time


def test_a_conversation_of_many_large_photos_decodes_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = kept(store, "me", [Attachment(replace(RED, name=f"{n}.png"), 1) for n in range(16)])
    record = store.ask("me", None, "?", images, version_id="v1", model="model")
    monkeypatch.setattr(files_module, "pixels_of", lambda _: pytest.fail("decoded"))
    monkeypatch.setattr(files_module.PhotoFiles, "read", lambda *_: pytest.fail("read"))
    conversation = store.conversation(store.record("me", record.id))
    assert conversation == Conversation(id=record.id).ask("?", images)


def test_a_phone_photo_is_not_encoded_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve megapixels as PNG would take 2 s and ten times the bytes."""
    exif = Image.Exif()
    exif[0x0112] = 6
    data = saved(picture(block_px=1008).resize((4032, 3024)), "JPEG", quality=90, exif=exif)
    monkeypatch.setattr(Image.Image, "save", lambda *_, **__: pytest.fail("encoded"))
    photo = store.add_photo("me", data, "phone.jpg")
    path, mime = store.photo_file(photo.id)
    assert photo.size_wh == (3024, 4032) and mime == "image/jpeg" and path.stat().st_size <= len(data)
