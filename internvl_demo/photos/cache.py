"""Decoded pictures that are kept ready: the one place of the process that holds pixels of stored photos.

A picture is decoded when somebody first asks for it, once however many ask at the same time, and stays until
pictures used later need its memory, or what it shows is deleted.

    DECODED.get(("store 1", "9f0c..."), lambda: pixels_of(data)) -> RGB picture

Not here: that pictures are decoded one at a time (`decode`), and what a key means.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, MutableMapping
from concurrent.futures import Future
from typing import Any

from PIL import Image

from internvl_demo.photos.limits import DECODED_BYTES

BYTES_A_PIXEL = 4
"""What Pillow takes for a pixel of an RGB picture."""


class PixelCache:
    """Pictures by key, for many threads; those used longest ago go when all together are over `limit_bytes`."""

    def __init__(self, limit_bytes: int):
        self._limit_bytes = limit_bytes
        self._images: OrderedDict[Hashable, Image.Image] = OrderedDict()
        self._coming: dict[Hashable, Future[Image.Image]] = {}
        self._lock = threading.Lock()

    @property
    def held_bytes(self) -> int:
        """Return how much memory the pictures take."""
        with self._lock:
            return self._sum_bytes()

    def get(self, key: Hashable, decode: Callable[[], Image.Image]) -> Image.Image:
        """Return the picture of that key; `decode` makes it if it is not here. Raises what `decode` raises."""
        with self._lock:
            if key in self._images:
                self._images.move_to_end(key)
                return self._images[key]
            coming = self._coming.get(key)
            if coming is None:
                mine = self._coming[key] = Future[Image.Image]()
        if coming is not None:
            return coming.result()
        try:
            image = decode()
        except BaseException as error:
            self._end(key, mine, None)
            mine.set_exception(error)
            raise
        self._end(key, mine, image)
        mine.set_result(image)
        return image

    def drop(self, unwanted: Callable[[Hashable], bool]) -> None:
        """Forget the pictures whose keys are unwanted; one that is just being decoded is not kept either."""
        with self._lock:
            both: tuple[MutableMapping[Hashable, Any], ...] = (self._images, self._coming)
            for held in both:
                for key in [key for key in held if unwanted(key)]:
                    del held[key]

    def _end(self, key: Hashable, mine: Future[Image.Image], image: Image.Image | None) -> None:
        """Keep what was decoded, unless it was dropped meanwhile."""
        with self._lock:
            if self._coming.get(key) is not mine:
                return
            del self._coming[key]
            if image is None or _bytes_of(image) > self._limit_bytes:
                return
            self._images[key] = image
            while self._sum_bytes() > self._limit_bytes:
                self._images.popitem(last=False)

    def _sum_bytes(self) -> int:
        return sum(map(_bytes_of, self._images.values()))


def _bytes_of(image: Image.Image) -> int:
    return image.width * image.height * BYTES_A_PIXEL


DECODED = PixelCache(DECODED_BYTES)
