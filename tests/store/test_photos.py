"""Photos in the store: whose they are, what goes wrong, that they come back, and that they go with what names them."""

import os
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from internvl_demo.conversation.turns import Attachment
from internvl_demo.errors import PhotoError
from internvl_demo.photos.cache import DECODED
from internvl_demo.photos.decode import photo_of, pixels_of, read_photo
from internvl_demo.photos.photo import Photo, file_of
from internvl_demo.photos.regions import Origin, derived
from internvl_demo.store import Store
from internvl_demo.store import files as files_module
from internvl_demo.store.faults import GoneError
from tests.support.pictures import as_stored, furthest, noise, picture, saved
from tests.support.stores import (
    BLUE,
    HOUR,
    RED,
    Clock,
    asked,
    files,
    open_at,
    photo_ids,
    shown,
    shown_id,
)
from tests.support.uploads import png

UNKNOWN = "0123456789abcdef" * 2


def decoded_bytes() -> int:
    return DECODED.held_bytes


# Whose they are


def test_a_foreign_photo_is_as_if_it_were_not_there(store: Store) -> None:
    mine = store.add_photo("me", RED)
    attempts: list[Callable[[str], object]] = [
        lambda id_: store.photo("you", id_),
        lambda id_: store.attachment("you", id_, 1),
        lambda id_: store.photo_file(id_, "you"),
        lambda id_: store.remove_photo("you", id_),
        lambda id_: store.ask(
            "you", None, "Whose?", (Attachment(replace(RED, id=id_), 1),), version_id="v1", model="model"
        ),
    ]
    for attempt in attempts:
        said = set()
        for photo_id in (mine.id, UNKNOWN, RED.id, "", "../../etc/passwd"):
            with pytest.raises(GoneError) as raised:
                attempt(photo_id)
            said.add(str(raised.value))
        assert len(said) == 1, "the error does not tell whether it exists"
    assert store.entries("you") == []
    store.wait("you", [mine.id, UNKNOWN])
    assert store.photo("me", mine.id) == mine


def test_an_id_tells_nothing_of_the_picture(store: Store) -> None:
    """Whoever has a picture cannot find out whether somebody sent it."""
    mine, theirs = store.add_photo("me", RED), store.add_photo("you", RED)
    assert mine.id != theirs.id and len(mine.id) == len(theirs.id) == 32
    int(mine.id, 16)
    for known in (RED.id, mine.id):
        with pytest.raises(GoneError):
            store.photo("you", known)


def test_the_same_again_is_the_same_photo(store: Store, tmp_path: Path) -> None:
    data = saved(picture(), "JPEG")
    one = store.add_photo("me", data, "a.jpg")
    assert store.add_photo("me", data, "a.jpg") == one
    assert store.add_photo("me", data, "b.jpg").id != one.id
    assert store.add_photo("me", read_photo(data, "a.jpg")) == one, "whichever way it comes"
    assert store.add_photo("you", data, "a.jpg").id != one.id
    assert len(files(tmp_path)) == 1


def test_whoever_knows_the_id_may_see_the_file(store: Store) -> None:
    mine = store.add_photo("me", RED)
    for owner in (None, "me"):
        path, mime = store.photo_file(mine.id, owner)
        assert (mime, path.suffix) == ("image/png", ".png")
        assert photo_of(pixels_of(path.read_bytes())).id == RED.id


# Damage


@pytest.mark.parametrize("harm", ["missing", "cut", "another picture", "empty", "a folder"])
def test_a_damaged_photo_leaves_its_conversation_readable(
    store: Store, tmp_path: Path, clock: Clock, harm: str
) -> None:
    mine = asked(store, "me", None, "Who?", [Attachment(RED, 1)])
    store.close()
    store = open_at(tmp_path, clock)
    (path,) = (tmp_path / "data" / "photos").iterdir()
    content = {"cut": path.read_bytes()[:-9], "another picture": png(), "empty": b""}
    path.unlink()
    if harm in content:
        path.write_bytes(content[harm])
    if harm == "a folder":
        path.mkdir()
    record = store.record("me", mine)
    conversation = store.conversation(record)
    photo = conversation.images[0].photo
    assert (conversation.turns[0].text, photo.name, photo.size_wh) == ("Who?", "red.png", (9, 7))
    uses: list[Callable[[], object]] = [
        lambda: photo.image,
        lambda: file_of(photo),
        lambda: store.photo_file(photo.id),
    ]
    for use in uses:
        with pytest.raises(PhotoError, match=r"missing|damaged|cannot be read"):
            use()
    if harm == "a folder":
        path.rmdir()
    store.add_photo("me", RED)
    assert shown(store.conversation(record).images) == [(RED.id, "red.png", 1)], "sending it again mends it"
    store.close()


def test_a_folder_that_was_removed_is_made_again(store: Store, tmp_path: Path) -> None:
    """A cleaner of temporary files may come by while the demo runs."""
    (tmp_path / "data" / "photos").rmdir()
    assert store.add_photo("me", RED).image.size == (9, 7)
    for path in (tmp_path / "data" / "photos").iterdir():
        path.unlink()
    (tmp_path / "data" / "photos").rmdir()
    store.check()
    store.sweep()
    assert files(tmp_path) == set()


def test_the_whole_folder_may_be_removed(store: Store, tmp_path: Path) -> None:
    (tmp_path / "data").rename(tmp_path / "elsewhere")
    store.check()
    mine = asked(store, "me", None, "Who?", [Attachment(RED, 1)])
    assert shown(store.record("me", mine).questions[0].images) == [(RED.id, "red.png", 1)]


@pytest.mark.parametrize("data", [b"", b"hello", b"%PDF-1.7", png()[:40]])
def test_what_is_no_picture_is_not_kept(store: Store, tmp_path: Path, data: bytes) -> None:
    with pytest.raises(PhotoError, match=r"^x\.png: "):
        store.add_photo("me", data, "folder/x.png")
    with pytest.raises(PhotoError, match=r"^The "):
        store.add_photo("me", data)
    assert files(tmp_path) == set()


# They come back


def photo_from_a_file(format_: str, mode: str = "RGB") -> Photo:
    file = BytesIO()
    Image.effect_noise((90, 60), 80).convert(mode).save(file, format_, quality=80)
    return read_photo(file.getvalue(), "noise")


@pytest.mark.parametrize(
    ("photo", "suffix"),
    [
        (RED, "png"),
        (photo_of(Image.merge("RGB", [Image.effect_noise((2100, 1000), 90) for _ in "RGB"]), "large"), "png"),
        (photo_from_a_file("PNG"), "png"),
        (photo_from_a_file("JPEG"), "jpeg"),
        (photo_from_a_file("JPEG", "L"), "jpeg"),
        (photo_from_a_file("WEBP"), "webp"),
        (photo_from_a_file("BMP"), "png"),
    ],
    ids=["drawn", "2 megapixels", "PNG", "JPEG", "grey JPEG", "WebP", "BMP"],
)
def test_a_photo_comes_back_with_its_pixels(tmp_path: Path, clock: Clock, photo: Photo, suffix: str) -> None:
    store = open_at(tmp_path, clock)
    mine = asked(store, "me", None, "Who?", [Attachment(photo, 12)])
    store.close()
    (name,) = files(tmp_path)
    assert photo_ids(tmp_path) == {photo.id} and name.endswith(f".{suffix}")
    store = open_at(tmp_path, clock)
    (image,) = store.record("me", mine).questions[0].images
    back = image.photo
    assert (back.name, back.size_wh, image.max_tiles) == (photo.name, photo.size_wh, 12)
    assert back.original == photo.original
    assert back.image.tobytes() == photo.image.tobytes()
    store.close()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_phone_photo_is_stored_as_it_came_but_clean(
    store: Store, orientation: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    exif = Image.Exif()
    exif[0x010E], exif[0x0112], exif[0x8825] = "SECRET", orientation, {1: "N", 29: "SECRET gps"}
    data = saved(as_stored(orientation), "JPEG", quality=100, subsampling=0, exif=exif)
    encoded = Image.Image.save
    monkeypatch.setattr(Image.Image, "save", lambda *_, **__: pytest.fail("encoded anew"))
    photo = store.add_photo("me", data, "IMG_1.jpg")
    path, mime = store.photo_file(photo.id)
    stored = path.read_bytes()
    assert mime == "image/jpeg" and b"SECRET" not in stored and len(stored) < len(data)
    assert photo.size_wh == (48, 32) and furthest(photo.image, picture()) <= 12
    monkeypatch.setattr(Image.Image, "save", encoded)
    sent_mime, sent = file_of(photo)
    assert (sent == stored) == (orientation == 1), "a model server may not know how to turn it"
    assert b"Exif" not in sent and furthest(pixels_of(sent), photo.image) == 0
    assert sent_mime == ("image/jpeg" if orientation == 1 else "image/png")


def test_adding_decodes_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[str] = []
    load = files_module.pixels_of
    monkeypatch.setattr(files_module, "pixels_of", lambda data: loads.append("later") or load(data))
    photo = store.add_photo("me", saved(picture(), "JPEG"), "a.jpg")
    mine = store.ask("me", None, "?", (Attachment(photo, 1),), version_id="v1", model="model")
    record = store.record("me", mine.id)
    conversation = store.conversation(record)
    store.photo_file(photo.id)
    assert (photo.size_wh, conversation.images[0].photo.size_wh, loads) == ((48, 32), (48, 32), [])
    assert conversation.images[0].photo.image is photo.image is store.photo("me", photo.id).image
    assert loads == ["later"], "once for all who look, through the one cache"


def test_one_picture_under_two_names_is_one_file(store: Store, tmp_path: Path) -> None:
    other = replace(RED, name="rot.png")
    mine = asked(store, "me", None, "Same?", [Attachment(RED, 1), Attachment(other, 40)])
    assert photo_ids(tmp_path) == {RED.id} and len(files(tmp_path)) == 1
    images = store.record("me", mine).questions[0].images
    assert shown(images) == [(RED.id, "red.png", 1), (RED.id, "rot.png", 40)]


def test_a_crop_remembers_what_it_was_made_from(store: Store) -> None:
    whole = store.add_photo("me", saved(picture(), "PNG"), "whole.png")
    region = {"way": "crop", "image": 1, "box_1000": [0, 0, 500, 500]}
    crop, origin = derived(region, [whole])
    assert origin.photo_id == whole.id
    added = store.add_photo("me", crop, origin=origin)
    assert added.name == "whole.png, crop" and shown_id(added) == crop.id
    attached = store.attachment("me", added.id, 6)
    assert attached == Attachment(added, 6, origin)
    record = store.ask("me", None, "Here?", (Attachment(added, 6),), version_id="v1", model="model")
    assert record.questions[0].images == (attached,), "the id is enough"
    elsewhere = Origin(UNKNOWN, None, "mark")
    assert store.add_photo("me", crop, origin=elsewhere).id != added.id


# They go


def test_deleting_a_conversation_deletes_its_photos_at_once(store: Store, tmp_path: Path) -> None:
    before = decoded_bytes()
    data = saved(noise(90, 70), "JPEG")
    photo = store.add_photo("me", data, "secret place.jpg")
    record = store.ask("me", None, "Where?", (Attachment(photo, 1),), version_id="v1", model="model")
    assert photo.image.size == (90, 70) and decoded_bytes() == before + 4 * 90 * 70
    store.delete("me", record.id)
    assert files(tmp_path) == set(), "not within the hour: now"
    assert decoded_bytes() == before
    for use in (lambda: photo.image, lambda: photo.original):
        with pytest.raises(PhotoError):
            use()
    with pytest.raises(GoneError):
        store.photo_file(photo.id)
    on_disk = b"".join(path.read_bytes() for path in (tmp_path / "data").glob("conversations*"))
    assert b"secret place" not in on_disk and photo.id.encode() not in on_disk


def test_a_photo_stays_as_long_as_any_conversation_names_it(
    store: Store, tmp_path: Path, clock: Clock
) -> None:
    mine = asked(store, "me", None, "Who?", [Attachment(RED, 1)])
    theirs = asked(store, "you", None, "Who?", [Attachment(RED, 1), Attachment(BLUE, 1)])
    again = asked(store, "me", None, "Again?", [Attachment(RED, 2)])
    clock.now += 2 * HOUR
    store.delete("you", theirs)
    store.delete("me", again)
    assert photo_ids(tmp_path) == {RED.id}
    (image,) = store.record("me", mine).questions[0].images
    assert shown([image]) == [(RED.id, "red.png", 1)]
    store.undo("me", mine)
    assert photo_ids(tmp_path) == {RED.id}, "it is in the message again"
    store.remove_photo("me", image.photo.id)
    assert files(tmp_path) == set()
    with pytest.raises(GoneError):
        store.photo("me", image.photo.id)


def test_a_photo_that_waits_in_a_draft_stays(store: Store, tmp_path: Path) -> None:
    mine = asked(store, "me", None, "Who?", [Attachment(RED, 1), Attachment(BLUE, 1)])
    waits = store.add_photo("me", RED)  # chosen again, in another tab
    store.delete("me", mine)
    assert photo_ids(tmp_path) == {RED.id} and store.photo("me", waits.id) == waits


def test_removing_a_chip_removes_its_photo_at_once(store: Store, tmp_path: Path) -> None:
    red, blue = store.add_photo("me", RED), store.add_photo("me", BLUE)
    store.ask("me", None, "Who?", (Attachment(blue, 1),), version_id="v1", model="model")
    store.remove_photo("me", red.id)
    store.remove_photo("me", blue.id)
    assert photo_ids(tmp_path) == {BLUE.id}, "which a conversation names"


def test_photos_of_a_question_that_gives_way_are_removed(store: Store, tmp_path: Path) -> None:
    mine = asked(store, "me", None, "One?", [Attachment(RED, 1)])
    store.begin("me", mine, "v1", "model")
    store.finish("v1", "complete", "1")
    asked(store, "me", mine, "Two?", [Attachment(BLUE, 1)])
    store.ask("me", mine, "Two!", version_id="v2", model="model")
    assert photo_ids(tmp_path) == {RED.id}


def test_files_that_no_photo_belongs_to_go_after_an_hour(store: Store, tmp_path: Path, clock: Clock) -> None:
    stray = tmp_path / "data" / "photos" / "half.new"
    stray.write_bytes(b"half a picture")
    os.utime(stray, (clock.now, clock.now))
    store.sweep()
    assert stray.exists(), "it may just be being written"
    clock.now += HOUR + 1
    store.sweep()
    assert not stray.exists()


def test_a_start_removes_what_a_kill_left(store: Store, tmp_path: Path, clock: Clock) -> None:
    mine = asked(store, "me", None, "Who?", [Attachment(RED, 1)])
    store.close()
    (tmp_path / "data" / "photos" / "half.new").write_bytes(b"half a picture")
    store = open_at(tmp_path, clock)
    assert photo_ids(tmp_path) == {RED.id} and len(files(tmp_path)) == 1
    assert shown(store.record("me", mine).questions[0].images) == [(RED.id, "red.png", 1)]
    store.close()


def test_a_closed_store_holds_no_pixels(tmp_path: Path, clock: Clock) -> None:
    before, store = decoded_bytes(), open_at(tmp_path, clock)
    photo = store.add_photo("me", RED)
    assert photo.image and decoded_bytes() > before
    store.close()
    assert decoded_bytes() == before
