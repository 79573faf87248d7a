"""Three of the family, each by another language model and template, as `--serve` starts LMDeploy's own server for it.

Phi-3 is run by LMDeploy's PyTorch engine: TurboMind has none. What is compared ends at the engine's door: the ids and
the places of images that it is given, and the tokens that end an answer.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from tokenizers import Tokenizer

from internvl_demo.answering.stream import Answer, collect
from internvl_demo.conversation.options import Options
from internvl_demo.conversation.prompt import IMG_CONTEXT, prompt_text
from internvl_demo.conversation.tiling import plan_tiles
from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.errors import SetupError
from internvl_demo.models.lmdeploy.command import Serving, serving_of
from internvl_demo.models.openai.backend import ServerBackend
from internvl_demo.models.profiles import Profile, profile_named
from internvl_demo.photos.decode import photo_of
from internvl_demo.settings import Settings
from tests.contract.checkpoint import write_served_folder
from tests.contract.conftest import TOKENS_PER_TILE
from tests.contract.servers import Lmdeploy, served

FAMILY = {"mini-2b": (), "internvl2.5-1b": (), "mini-4b": ("--backend=pytorch",)}
"""Short name -> what `--lmdeploy-arg` adds."""

TALL, WIDE = (Attachment(photo_of(Image.new("RGB", size, "teal")), 12) for size in ((800, 1300), (1400, 448)))
SAID = "A cat, 猫."
ONE = Conversation().ask("What is this?", (TALL,))
TWO = ONE.with_answer(SAID).ask("And what differs?", (WIDE,))
TOGETHER = Conversation().ask("Compare both.", (WIDE, TALL)).with_answer(SAID).ask("Why?")


class Served:
    """One of them: its server, its profile, its tokenizer."""

    def __init__(self, server: Lmdeploy, profile: Profile):
        self.server, self.profile = server, profile
        self.tokenizer = Tokenizer.from_file(str(server.checkpoint / "tokenizer.json"))

    def ids(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def answer(self, conversation: Conversation) -> Answer:
        async def answered() -> Answer:
            backend = ServerBackend(self.server.url, tokens_per_tile=TOKENS_PER_TILE)
            try:
                assert (await backend.describe()).profile == self.profile, (
                    "told by the name that --serve gives it"
                )
                given, failure = await collect(backend, conversation, Options(max_new_tokens=40))
            finally:
                await backend.close()
            assert failure is None
            return given

        return asyncio.run(answered())


@pytest.fixture(scope="module")
def family(folder: Path) -> Iterator[dict[str, Served]]:
    """All three, started together."""
    servings = []
    for short, extra in FAMILY.items():
        profile = profile_named(short)
        where = write_served_folder(folder / "family" / profile.name, profile)
        servings.append(Serving(str(where), profile=profile, extra=extra))
    with served(servings, folder) as servers:
        yield {
            short: Served(server, profile_named(short)) for short, server in zip(FAMILY, servers, strict=True)
        }


def test_phi3_is_refused_without_the_engine_that_can_run_it(family: dict[str, Served]) -> None:
    where = str(family["mini-4b"].server.checkpoint)
    with pytest.raises(SetupError, match=r"cannot run Phi-3.*--lmdeploy-arg=--backend=pytorch"):
        serving_of(Settings(serve=where))
    assert serving_of(Settings(serve=where, lmdeploy_arg=("--backend=pytorch",))).name.endswith("4b-v1-5")


@pytest.mark.parametrize("short", FAMILY)
@pytest.mark.parametrize(
    ("conversation", "labels"),
    [
        pytest.param(ONE, ("",), id="one"),
        pytest.param(TWO, ("", "Image-2: "), id="one and one"),
        pytest.param(TOGETHER, ("Image-1: ", "Image-2: "), id="two together"),
    ],
)
def test_the_engine_is_given_our_prompt_and_its_images_in_their_places(
    family: dict[str, Served], short: str, conversation: Conversation, labels: tuple[str, ...]
) -> None:
    one = family[short]
    with one.server.mode("nothing"):
        one.answer(conversation)
    (*_, seen) = one.server.asked()
    prompt = prompt_text(conversation, TOKENS_PER_TILE, template=one.profile.template)
    assert seen["ids"] == one.ids(prompt)
    image_id, at = one.tokenizer.token_to_id(IMG_CONTEXT), 0
    for told, image, label in zip(seen["images"], conversation.images, labels, strict=True):
        views = plan_tiles(image.photo.size_wh, image.max_tiles).views
        assert (told["tiles"], told["tokens"]) == (views, views * TOKENS_PER_TILE)
        assert told["offset"] == seen["ids"].index(image_id, at), "it fills its own place"
        at = told["offset"] + told["tokens"]
        assert set(seen["ids"][told["offset"] : at]) == {image_id}
        before = one.tokenizer.decode(seen["ids"][: told["offset"]], skip_special_tokens=False)
        assert before.endswith(f"\n{label}<img>")
    assert image_id not in seen["ids"][at:]


@pytest.mark.parametrize(
    ("short", "end"), [(short, end) for short in FAMILY for end in profile_named(short).template.ends]
)
def test_every_stop_word_of_the_template_ends_the_answer(
    family: dict[str, Served], short: str, end: str
) -> None:
    one = family[short]
    with one.server.mode(f"say {' '.join(map(str, one.ids(f'{SAID}{end} and so on')))}"):
        given = one.answer(ONE)
    assert given.text == SAID
    assert given.usage and given.usage.finish_reason == "stop"
