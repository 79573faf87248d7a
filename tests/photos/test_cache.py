"""The one cache of decoded pictures: bounded, decoding once however many ask, and forgetting at once."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from internvl_demo.errors import PhotoError
from internvl_demo.photos.cache import PixelCache

PIXEL = 4


def image(width: int = 10, height: int = 10) -> Image.Image:
    return Image.new("RGB", (width, height))


def fail() -> Image.Image:
    raise PhotoError("It is damaged.", "Send it again.")


def test_what_cannot_be_decoded_is_not_kept() -> None:
    cache = PixelCache(1000)
    for _ in range(2):
        with pytest.raises(PhotoError, match="damaged"):
            cache.get("a", fail)
    assert cache.held_bytes == 0
    assert cache.get("a", image).size == (10, 10), "the next who asks tries again"


def test_all_who_wait_learn_of_the_damage() -> None:
    cache, asked = PixelCache(1000), threading.Barrier(4)

    def slowly() -> Image.Image:
        time.sleep(0.05)
        return fail()

    def ask(_: int) -> str:
        asked.wait()
        with pytest.raises(PhotoError) as raised:
            cache.get("a", slowly)
        return raised.value.what

    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(ask, range(4))) == {"It is damaged."}


def test_a_picture_larger_than_the_cache_displaces_nothing() -> None:
    cache = PixelCache(1000)
    kept = cache.get("small", image)
    assert cache.get("large", lambda: image(100, 100)).size == (100, 100)
    assert cache.held_bytes == 100 * PIXEL and cache.get("small", fail) is kept


def test_it_is_decoded_once_however_many_ask() -> None:
    cache, asked, decoded = PixelCache(1000), threading.Barrier(8), list[int]()

    def slowly() -> Image.Image:
        decoded.append(1)
        time.sleep(0.05)
        return image()

    def ask(_: int) -> Image.Image:
        asked.wait()
        return cache.get("a", slowly)

    with ThreadPoolExecutor(8) as threads:
        assert len({id(each) for each in threads.map(ask, range(8))}) == 1
    assert decoded == [1]


def test_those_used_longest_ago_go() -> None:
    cache = PixelCache(2 * 100 * PIXEL)
    for key in ("a", "b", "a", "c"):
        cache.get(key, image)
    for key in ("a", "c"):
        cache.get(key, fail)
    with pytest.raises(PhotoError):
        cache.get("b", fail)


def test_what_is_deleted_is_forgotten_at_once() -> None:
    cache = PixelCache(1000)
    for key in ("a", "b"):
        cache.get(key, image)
    cache.drop(lambda key: key == "a")
    assert cache.held_bytes == 100 * PIXEL
    with pytest.raises(PhotoError):
        cache.get("a", fail)


def test_what_is_deleted_while_it_is_decoded_is_not_kept() -> None:
    cache = PixelCache(1000)

    def deleted_meanwhile() -> Image.Image:
        cache.drop(lambda key: key == "a")
        return image()

    assert cache.get("a", deleted_meanwhile).size == (10, 10)
    assert cache.held_bytes == 0


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 12), st.booleans()), max_size=30))
def test_it_never_holds_more_than_its_limit(asked: list[tuple[int, int, bool]]) -> None:
    cache, sizes = PixelCache(400), dict[int, int]()
    for key, side, drop in asked:
        side = sizes.setdefault(key, side)
        decode: Callable[[], Image.Image] = lambda side=side: image(side, side)  # noqa: E731
        assert cache.get(key, decode).size == (side, side)
        assert cache.held_bytes <= 400
        if drop:
            cache.drop(lambda each, key=key: each == key)
