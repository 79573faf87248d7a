"""What people may send as a picture: bad files first, then limits, paths and names, and anything at all.

What becomes of the good ones is in `test_pictures`.
"""

import os
import struct
import subprocess
import sys
import warnings
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from internvl_demo.errors import PhotoError
from internvl_demo.photos import door
from internvl_demo.photos.decode import open_photo, photo_of, read_photo
from internvl_demo.photos.door import MAX_BYTES, MAX_PIXELS
from internvl_demo.photos.opening import FORMATS
from internvl_demo.photos.photo import Photo
from tests.support.pictures import BLUE, FILES, RED, picture, png, saved

# Bad files


@pytest.mark.parametrize(
    ("data", "word"),
    [
        pytest.param(b"", "empty", id="nothing"),
        pytest.param(b"\0", "not a picture", id="one byte"),
        pytest.param(b"Dear Sir or Madam", "not a picture", id="a letter"),
        pytest.param(bytes(1000), "not a picture", id="zeros"),
        pytest.param(b"\x89PNG\r\n\x1a\n", "damaged", id="only the beginning of a PNG"),
        pytest.param(b"\xff\xd8\xff", "damaged", id="only the beginning of a JPEG"),
        pytest.param(b"GIF89a", "damaged", id="only the beginning of a GIF"),
        pytest.param(b"BM", "damaged", id="only the beginning of a BMP"),
        pytest.param(b"II*\0", "damaged", id="only the beginning of a TIFF"),
        pytest.param(b"RIFF\x1a\0\0\0WEBPVP8 ", "damaged", id="only the beginning of a WebP"),
        pytest.param(png(0, 0), "damaged", id="a PNG of no size"),
        pytest.param(png(8, 8, body=b"not zlib"), "damaged", id="a PNG with rubbish for pixels"),
        pytest.param(b"\0\0\0\x1cftypheic\0\0\0\0", "damaged", id="only the beginning of an HEIC"),
        pytest.param(b"\0\0\0\x1cftypavif\0\0\0\0", "damaged", id="only the beginning of an AVIF"),
        pytest.param(b"\0\0\0\x1cftypmif1\0\0\0\0", "damaged", id="only the beginning of either"),
        pytest.param(b"\0\0\0\x1cftypisom\0\0\0\0", "video", id="MP4"),
        pytest.param(b"%PDF-1.7\n", "PDF", id="PDF"),
        pytest.param(b'<?xml version="1.0"?>\n<svg xmlns="">', "SVG", id="SVG"),
        pytest.param(saved(picture(), "PPM"), "not a picture of a supported format", id="PPM"),
        pytest.param(saved(picture(), "ICO"), "not a picture of a supported format", id="ICO"),
        pytest.param(saved(picture(), "TGA"), "not a picture of a supported format", id="TGA"),
        pytest.param(saved(picture(), "EPS"), "not a picture of a supported format", id="EPS"),
        pytest.param(saved(Image.new("RGB", (1, 50)), "PNG"), "1 x 50 pixels", id="one pixel wide"),
        pytest.param(saved(Image.new("RGB", (50, 1)), "GIF"), "50 x 1 pixels", id="one pixel high"),
        pytest.param(saved(Image.new("F", (2, 2), float("nan")), "TIFF"), "damaged", id="not numbers"),
        pytest.param(saved(Image.new("F", (2, 2), float("inf")), "TIFF"), "damaged", id="infinite"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_a_next_step(data: bytes, word: str) -> None:
    with pytest.raises(PhotoError) as refused:
        read_photo(data, "holiday.jpg")
    assert word in refused.value.what
    for sentence in (refused.value.what, refused.value.next_step):
        assert sentence.endswith(".") and sentence[0].isupper()


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7", saved(picture(), "PPM")])
def test_the_refusal_of_a_format_names_all_that_are_supported(data: bytes) -> None:
    with pytest.raises(PhotoError) as refused:
        read_photo(data)
    assert all(name in refused.value.next_step.upper() for name in (*FORMATS, "HEIC"))


def test_no_other_decoder_sees_the_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    Image.init()
    asked: list[str] = []
    for name in set(Image.OPEN) - set(FORMATS):
        monkeypatch.setitem(Image.OPEN, name, (lambda *_, name=name: asked.append(name), None))
    for data in (saved(picture(), "PPM"), saved(picture(), "TGA"), b"hello"):
        with pytest.raises(PhotoError):
            read_photo(data)
    assert asked == []


@pytest.mark.parametrize("kind", FILES)
def test_a_file_cut_off_anywhere_is_refused_unless_all_pixels_are_there(kind: str) -> None:
    data = FILES[kind]
    whole = read_photo(data)
    accepted = []
    for end in range(len(data)):
        try:
            assert read_photo(data[:end]) == whole
        except PhotoError:
            continue
        accepted.append(end)
    # after the last pixel: a PNG's checksums and IEND, a GIF's trailer, the padding of a BMP's last row and of a WebP's
    # last chunk, a JPEG's end marker; a TIFF's directory comes last,
    # and may be shorter where it says what goes without saying
    behind = {"png": 24, "gif": 4, "bmp": 3, "palette bmp": 3, "webp": 1, "jpeg": 2, "progressive jpeg": 2}
    behind["12-bit tiff"] = 60
    assert len(accepted) <= behind.get(kind, 0)


@pytest.mark.parametrize("kind", ["png", "jpeg", "gif", "webp"])
def test_a_cut_file_is_refused_even_where_another_library_asked_pillow_to_be_lenient(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    data = FILES[kind]
    with pytest.raises(PhotoError):
        read_photo(data[: len(data) * 3 // 4])
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True, "what the other library asked for is left as it was"


@pytest.mark.parametrize(
    "foreign",
    [
        OSError("broken data stream"),
        SyntaxError("not a TIFF file"),
        ValueError("bad"),
        struct.error("unpack requires a buffer"),
        OverflowError("too large"),
        EOFError("no more"),
        MemoryError(),
        zlib.error("incorrect header check"),
        TypeError("NoneType"),
        KeyError("palette"),
        AttributeError("fp"),
        RecursionError(),
        AssertionError(),
        Image.DecompressionBombError("bomb"),
        Image.DecompressionBombWarning("bomb"),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("where", ["open", "load", "convert"])
def test_whatever_pillow_raises_a_person_gets_a_photo_error(
    where: str, foreign: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise foreign

    owner = {"open": Image, "load": ImageFile.ImageFile, "convert": Image.Image}[where]
    data = saved(picture(), "BMP")
    monkeypatch.setattr(owner, where, broken)
    with pytest.raises(PhotoError) as refused:
        read_photo(data)
    assert ("not enough memory" in refused.value.what) == isinstance(foreign, MemoryError)


def test_stopping_the_program_is_not_a_broken_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Image, "open", stopped)
    with pytest.raises(KeyboardInterrupt):
        read_photo(FILES["png"])


# Limits


def test_a_bomb_is_refused_from_its_header(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = png(60_000, 60_000, body=zlib.compress(bytes(1_000_000)))
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda _: pytest.fail("decoded"))
    with pytest.raises(PhotoError, match="more than 100 megapixels"):
        read_photo(bomb)


@pytest.mark.parametrize("size_wh", [(10_000, 10_001), (14_000, 14_000), (2**31 - 1, 2**31 - 1)])
@pytest.mark.parametrize("strict", [True, False])
def test_pillows_own_bomb_alarm_is_never_heard(
    size_wh: tuple[int, int], strict: bool, recwarn: pytest.WarningsRecorder
) -> None:
    warnings.simplefilter("error" if strict else "always")
    with pytest.raises(PhotoError, match="more than 100 megapixels"):
        read_photo(png(*size_wh))
    assert len(recwarn) == 0


def test_a_picture_of_exactly_100_megapixels_is_taken(recwarn: pytest.WarningsRecorder) -> None:
    warnings.simplefilter("always")
    row = bytes(1 + 10_000 // 8)
    photo = read_photo(png(10_000, 10_000, bits=1, colour_type=0, body=zlib.compress(row * 10_000, 1)))
    assert photo.size_wh == (10_000, 10_000)
    assert photo.image.width * photo.image.height == MAX_PIXELS
    assert len(recwarn) == 0


@pytest.mark.parametrize("theirs", [None, 10])
def test_the_limit_is_ours_whatever_another_library_set(
    theirs: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", theirs)
    assert read_photo(FILES["png"]) == photo_of(picture(block_px=5))
    with pytest.raises(PhotoError, match="more than 100 megapixels"):
        read_photo(png(60_000, 60_000))
    assert theirs == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize(
    ("size_wh", "fits"),
    [
        ((40, 25), True),
        ((77, 13), False),
        ((1000, 1), False),
        ((2, 2), True),
        ((1, 2), False),
        ((2, 1), False),
        ((1, 1), False),
        ((1, 3000), False),
    ],
)
def test_both_limits_of_size_hold_for_files_and_for_drawings(
    size_wh: tuple[int, int], fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "MAX_PIXELS", 1000)
    image = Image.new("RGB", size_wh)
    if fits:
        assert photo_of(image).size_wh == read_photo(saved(image, "PNG")).size_wh == size_wh
        return
    with pytest.raises(PhotoError, match="pixels"):
        photo_of(image)
    with pytest.raises(PhotoError, match="pixels"):
        read_photo(saved(image, "PNG"))


def test_32_megabytes_are_taken_and_one_byte_more_is_not() -> None:
    data = FILES["png"]
    assert read_photo(data + bytes(MAX_BYTES - len(data))) == read_photo(data)
    with pytest.raises(PhotoError, match="larger than 32 MB"):
        read_photo(data + bytes(MAX_BYTES - len(data) + 1))


def test_a_file_that_is_too_large_is_not_even_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "film.png"
    path.touch()
    os.truncate(path, MAX_BYTES + 1)
    monkeypatch.setattr(Path, "open", lambda *_, **__: pytest.fail("the file was opened"))
    with pytest.raises(PhotoError, match="larger than 32 MB"):
        open_photo(path)


# Files by path


def test_a_file_is_opened_by_its_path_and_named_after_it(tmp_path: Path) -> None:
    path = tmp_path / "three cats.bmp"
    path.write_bytes(FILES["bmp"])
    assert open_photo(path) == open_photo(str(path)) == read_photo(FILES["bmp"], "three cats.bmp")


def test_a_path_without_a_file_behind_it_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "plain").touch()
    refusals: list[tuple[str | Path, str]] = [
        (tmp_path / "missing.png", 'no file "missing.png"'),
        (tmp_path, "not a file"),
        (tmp_path / "pipe", "not a file"),
        (tmp_path / "plain" / "x.png", "cannot be read"),
        (tmp_path / ("n" * 300), "cannot be read"),
        (str(tmp_path / "a\0b"), "cannot be read"),
        ("", "not a file"),
    ]
    for path, word in refusals:
        with pytest.raises(PhotoError) as refused:
            open_photo(path)
        assert word in refused.value.what, path


def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "secret.png").write_bytes(FILES["png"])
    monkeypatch.setattr(Path, "open", forbidden)
    with pytest.raises(PhotoError, match="cannot be read"):
        open_photo(tmp_path / "secret.png")


@pytest.mark.parametrize(
    ("given_name", "shown"),
    [
        ("", ""),
        ("cat.png", "cat.png"),
        ("/etc/passwd", "passwd"),
        ("../../cat.png", "cat.png"),
        ("C:\\fakepath\\cat.png", "cat.png"),
        ("folder/", ""),
        ("  cat.png \n", "cat.png"),
        ("cat\r\nSet-Cookie: x.png", "catSet-Cookie: x.png"),
        ("a\0b\x1b[31m.png", "ab[31m.png"),
        ("invoice\u202egnp.exe", "invoicegnp.exe"),
        ("line\u2028break", "linebreak"),
        ("half \udcff pair", "half  pair"),
        ("猫 és ñandú.jpg", "猫 és ñandú.jpg"),
        ("n" * 500, "n" * 80),
    ],
)
def test_a_name_is_safe_to_show(given_name: str, shown: str) -> None:
    assert read_photo(FILES["png"], given_name).name == shown
    assert photo_of(picture(), given_name).name == shown


# What the module leaves alone


def test_pillow_is_left_as_it_was_after_good_and_bad_pictures() -> None:
    def state() -> tuple[object, ...]:
        return Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters)

    before = state()
    read_photo(FILES["png"])
    for data in (b"hello", FILES["png"][:60], png(60_000, 60_000), png(10_000, 10_001)):
        with pytest.raises(PhotoError):
            read_photo(data)
    assert state() == before


def test_many_people_may_send_pictures_at_once() -> None:
    before = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
    kinds = [*FILES] * 6
    with ThreadPoolExecutor(8) as threads:
        photos = list(threads.map(lambda kind: read_photo(FILES[kind], kind), kinds))
    assert [photo.name for photo in photos] == kinds
    assert (Image.MAX_IMAGE_PIXELS, list(warnings.filters)) == before


def test_importing_the_module_is_cheap() -> None:
    code = "import sys, internvl_demo.photos.decode; print(*sorted({'numpy', 'torch', 'gradio'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


# Anything at all


def photo_or_refusal(attempt: Callable[[], Photo]) -> None:
    """Any other exception, and any warning, fails the test."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            photo = attempt()
        except PhotoError:
            return
    assert photo.image.mode == "RGB" and min(photo.size_wh) >= 2 and photo.image.info == {}
    assert photo_of(photo.image, photo.name) == photo


@settings(max_examples=300)
@given(data=st.binary(max_size=300), kind=st.sampled_from(["", *FILES]), kept=st.integers(0, 40))
def test_random_bytes_give_a_photo_or_a_refusal(data: bytes, kind: str, kept: int) -> None:
    beginning = FILES[kind][:kept] if kind else b""
    photo_or_refusal(lambda: read_photo(beginning + data))


@settings(max_examples=400)
@given(
    kind=st.sampled_from([*FILES]),
    flips=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=8),
    near_the_beginning=st.booleans(),
    cut=st.none() | st.integers(0, 10**6),
)
def test_a_file_with_changed_and_missing_bytes_gives_a_photo_or_a_refusal(
    kind: str, flips: list[tuple[int, int]], near_the_beginning: bool, cut: int | None
) -> None:
    data = bytearray(FILES[kind])
    reach = min(len(data), 80) if near_the_beginning else len(data)
    for at, value in flips:
        data[at % reach] = value
    photo_or_refusal(lambda: read_photo(bytes(data[: None if cut is None else cut % len(data)])))


@settings(max_examples=100)
@given(name=st.text(max_size=200))
def test_any_name_becomes_one_short_printable_line(name: str) -> None:
    shown = photo_of(picture([[RED, BLUE], [BLUE, RED]], 1), name).name
    assert len(shown) <= 80 and len(shown.splitlines()) <= 1 and "/" not in shown and "\\" not in shown
