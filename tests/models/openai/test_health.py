"""How a model server is, before anybody asks it: over real sockets."""

import pytest

from internvl_demo.models.openai.backend import ServerBackend
from internvl_demo.models.openai.watchdog import SilenceLimits
from tests.support.plain_words import assert_for_people
from tests.support.scripted_server import (
    CARD,
    HEALTHY,
    NGINX,
    NO_HEALTH,
    SICK,
    flat,
    in_a_loop,
    listing,
    serving,
    whole,
)

HTML = whole(200, "text/html", NGINX)
# what /health says, what the listing says, and words of the details of what is wrong
DOWN: dict[str, tuple[bytes, bytes, str]] = {
    "it says so": (SICK, listing(CARD), "HTTP 503"),
    "its proxy says so": (whole(502, "text/html", NGINX), listing(CARD), "HTTP 502"),
    "it has another model": (HEALTHY, listing({"id": "another"}), "offers: another"),
    "it has no model": (HEALTHY, listing(), "offers no model"),
    "it has another key": (HEALTHY, flat(401, "Unauthorized."), "INTERNVL_API_KEY"),
    "it has no health and no models": (NO_HEALTH, flat(404, "Not found."), "HTTP 404"),
    "a web site is in its place": (HTML, HTML, "proxy"),
    "its proxy lost it": (HTML, whole(502, "text/html", NGINX), "a web page"),
}
UP = {
    "it says so": HEALTHY,
    "it has no health": NO_HEALTH,
    "its health is not for us": flat(401, "Unauthorized."),
}


@pytest.mark.parametrize("name", DOWN)
@in_a_loop
async def test_a_server_that_cannot_answer_is_down(name: str) -> None:
    health, models, words = DOWN[name]
    async with serving(models=models, health=health) as server:
        server.silent = True
        found = await ServerBackend(server.url, model=CARD["id"]).health()
        assert found.kind == "down" and found.problem and words in found.problem.details
        assert_for_people(found.problem, words)
        assert not server.posts


@pytest.mark.parametrize("name", UP)
@in_a_loop
async def test_a_server_that_can_answer_is_ready(name: str) -> None:
    async with serving(health=UP[name]) as server:
        server.silent = True
        assert (await ServerBackend(server.url).health()).kind == "ready"


@in_a_loop
async def test_a_server_that_dies_is_down_until_it_comes_back() -> None:
    async with serving() as server:
        backend = ServerBackend(server.url)
        assert (await backend.health()).kind == "ready"
        await server.die()
        gone = await backend.health()
        assert gone.kind == "down" and gone.problem and server.url in gone.problem.details
        await server.come()
        assert (await backend.health()).kind == "ready"


@in_a_loop
async def test_a_server_that_is_late_once_is_not_down() -> None:
    async with serving(health=b"") as server:
        server.silent = True
        backend = ServerBackend(server.url, limits=SilenceLimits(health_s=0.1))
        assert [(await backend.health()).kind for _ in range(3)] == ["ready", "down", "down"]
        backend = ServerBackend(server.url, limits=SilenceLimits(health_s=30))
        server.silent = False
        assert (await backend.health()).kind == "ready"
