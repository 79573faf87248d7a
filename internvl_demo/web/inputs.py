"""Check what programs and the page send: who they are, and the JSON of each request.

All of it is untrusted. What does not fit is answered with 401 or 422 and two sentences; lengths are bounded here or
where the value is used. The shapes are part of the interface's OpenAPI description.
"""

import re
from typing import Annotated, Any, Literal

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from internvl_demo.conversation.options import LIMITS, MAX_SYSTEM_CHARS
from internvl_demo.conversation.tiling import MAX_TILES, max_tiles_of
from internvl_demo.conversation.turns import Attachment
from internvl_demo.errors import DemoError, PhotoError
from internvl_demo.photos.limits import MESSAGE_PICTURES
from internvl_demo.photos.photo import Photo

_SECRET = re.compile(r"Bearer ([A-Za-z0-9_-]{22,128})")
"""128 bits or more: 22 characters of base64, 32 of hex."""

Id = Annotated[str, Field(max_length=64)]
ModelId = Annotated[str, Field(max_length=200)]
"""One of the page's models, as GET /api/model lists them."""

Mode = Literal["low", "standard", "high"] | Annotated[int, Field(ge=1, le=MAX_TILES)]
"""The most tiles of a picture, by name or number."""


class _Unseen:
    """The source of a photo whose pixels nobody asks for."""

    @property
    def image(self) -> Image.Image:
        """Raise PhotoError."""
        raise PhotoError("The picture is not here.", "Add it again.")

    original = None
    profile = None


def _options_schema() -> dict[str, Any]:
    """Describe options to programs."""
    wholes = ("max_new_tokens", "seed")
    numbers = {
        name: {"type": "integer" if name in wholes else "number", "minimum": least, "maximum": most}
        for name, (least, most) in LIMITS.items()
    }
    texts = {"system": {"type": "string", "maxLength": MAX_SYSTEM_CHARS}}
    longest = {"max_new_tokens": {"type": "integer", "minimum": 1}}
    switches = {"thinking": {"type": "boolean"}}
    properties = longest | numbers | texts | switches
    return {"type": "object", "properties": properties, "additionalProperties": False}


class AccessError(DemoError):
    """The request does not say whose it is."""


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ImageIn(_Input):
    """A picture of a question: a photo that was added before, and its most tiles."""

    photo: Id
    mode: Mode = "standard"


OptionsIn = Annotated[dict[str, Any], WithJsonSchema(_options_schema())]
"""How to answer; what is left out is as the host set it. `conversation.options` checks the values."""


class QuestionIn(_Input):
    """A question and its pictures."""

    text: str
    images: list[ImageIn] = Field(default_factory=list, max_length=MESSAGE_PICTURES)
    options: OptionsIn = Field(default_factory=dict)
    model: ModelId | None = None

    @property
    def wanted(self) -> list[tuple[str, int]]:
        """The pictures as (photo id, most tiles)."""
        return [(image.photo, max_tiles_of(image.mode)) for image in self.images]


class AgainIn(_Input):
    """How to answer a question again; without options or a model as before."""

    options: OptionsIn | None = None
    model: ModelId | None = None


class LoadIn(_Input):
    """Which model is to be loaded."""

    model: ModelId


class TextIn(AgainIn):
    """A question in other words."""

    text: str


class ChangeIn(_Input):
    """What is changed about a conversation: its title, or which version it goes on from.

    choose: the id of a version of the last answer, or of a question, whose branch is shown then.
    """

    title: Annotated[str | None, Field(max_length=1000)] = None
    choose: Id | None = None


class AddressIn(_Input):
    """Where a picture is on the web."""

    url: str = Field(max_length=4096)


class RegionIn(_Input):
    """A rectangle on a picture, in normalised 0-1000 coordinates, and what to make of it."""

    way: Literal["crop", "mark"]
    box_1000: list[int] = Field(min_length=4, max_length=4)


class DraftImageIn(_Input):
    """A picture that waits, as the page knows it: nothing is read from the store to count its tokens."""

    photo: Id
    name: Annotated[str, Field(max_length=200)] = ""
    size_wh: Annotated[list[Annotated[int, Field(ge=1, le=100_000)]], Field(min_length=2, max_length=2)]
    mode: Mode = "standard"

    @property
    def attachment(self) -> Attachment:
        """The picture, without its pixels."""
        photo = Photo(self.photo, self.name, (self.size_wh[0], self.size_wh[1]), _Unseen())
        return Attachment(photo, max_tiles_of(self.mode))


class DraftIn(_Input):
    """What would be sent now."""

    conversation: Id | None = None
    text: str = ""
    images: list[DraftImageIn] = Field(default_factory=list, max_length=MESSAGE_PICTURES)
    max_new_tokens: Annotated[int | None, Field(ge=1)] = None
    system: str | None = None
    thinking: bool | None = None
    model: ModelId | None = None

    @property
    def options(self) -> dict[str, Any]:
        """The options that take of the context."""
        return {"max_new_tokens": self.max_new_tokens, "system": self.system, "thinking": self.thinking}


def secret_of(authorization: str | None) -> str:
    """Return the person's secret of an Authorization header. Raises AccessError when there is none."""
    found = _SECRET.fullmatch(authorization or "")
    if found is None:
        raise AccessError(
            "The request does not say whose it is.",
            "Send `Authorization: Bearer SECRET`, a secret of your own with at least 128 random bits.",
        )
    return found[1]
