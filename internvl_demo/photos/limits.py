"""How much may be asked of this machine at once: every bound on photos but those of a single file (`decode`)."""

from collections.abc import Collection
from math import prod

from internvl_demo.errors import PhotoError
from internvl_demo.photos.photo import Photo

MESSAGE_PICTURES = 16
"""Pictures in one message: the model was made for a handful."""

MESSAGE_PIXELS = 200_000_000
"""Pixels in one message, all its pictures together: two of the largest, or sixteen of 12 megapixels."""

DECODED_BYTES = 256 * 1024 * 1024
"""Decoded pictures that are kept ready, 4 bytes a pixel: five of 12 megapixels."""

UNSENT_PICTURES = 64
UNSENT_BYTES = 256 * 1024 * 1024
"""Of one owner, uploaded and not sent yet: four full messages."""

ALL_UNSENT_PICTURES = 20_000
ALL_UNSENT_BYTES = 2 * 1024 * 1024 * 1024
"""The same of everybody together."""

UNSENT_S = 24 * 3600.0
"""How long a picture that was uploaded waits to be sent: as long as a person may be away from a page."""


def check_message(photos: Collection[Photo]) -> None:
    """Check that one message may carry these photos. Raises PhotoError."""
    if len(photos) > MESSAGE_PICTURES:
        raise PhotoError(
            "A message takes {most} pictures at most.",
            "Send these first, or remove some.",
            most=MESSAGE_PICTURES,
        )
    if sum(prod(photo.size_wh) for photo in photos) > MESSAGE_PIXELS:
        raise PhotoError(
            "The pictures of the message have more than {most} megapixels together.",
            "Send some of them first, or make them smaller.",
            most=MESSAGE_PIXELS // 1_000_000,
        )
