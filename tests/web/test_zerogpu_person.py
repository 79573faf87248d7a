"""On ZeroGPU the person's token must reach `spaces` when an answer runs outside of Gradio's events."""

from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field

import pytest
from gradio.context import LocalContext

from internvl_demo.conversation.options import Options
from internvl_demo.conversation.turns import Conversation
from internvl_demo.models.base import Piece
from internvl_demo.settings import Settings
from tests.support.http_client import Client
from tests.support.scripted_model import ScriptedModel
from tests.support.served_page import served


@dataclass
class TokenReader(ScriptedModel):
    """A model that looks for the token as `spaces` does: in the headers of Gradio's current request."""

    tokens: list[str | None] = field(default_factory=list)

    async def stream(self, conversation: Conversation, options: Options) -> AsyncGenerator[Piece, None]:
        request = LocalContext.request.get(None)
        self.tokens.append(request.headers.get("x-ip-token") if request else None)
        async for piece in super().stream(conversation, options):
            yield piece


@pytest.fixture
def page() -> Iterator[tuple[TokenReader, str]]:
    model = TokenReader()
    for url in served(model, Settings(checkpoint="scripted")):
        yield model, url


def test_each_answer_runs_with_its_persons_token(page: tuple[TokenReader, str]) -> None:
    model, url = page
    client = Client(url)
    client.http.headers["x-ip-token"] = "token-1"
    started = client.ask("Who?")
    client.answer(started["conversation"])
    client.http.headers["x-ip-token"] = "token-2"
    client.call("POST", f"/api/conversations/{started['conversation']}/retry")
    client.answer(started["conversation"])
    client.http.headers["x-ip-token"] = "token-3"
    edit = f"/api/conversations/{started['conversation']}/questions/{started['question']}"
    client.call("PUT", edit, {"text": "Whom?"})
    client.answer(started["conversation"])
    assert model.tokens == ["token-1", "token-2", "token-3"]
