"""Two real LMDeploy servers and HAProxy before them, once for all contract tests."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

from internvl_demo.models.openai.backend import ServerBackend
from internvl_demo.nano.world.pictures import Picture
from internvl_demo.nano.world.scenes import draw_scene
from internvl_demo.nano.world.vocabulary import kinds
from tests.contract.checkpoint import with_slow_tokenizer, write_official_folder
from tests.contract.servers import KEY, Lmdeploy, haproxy, lmdeploy_servers

TOKENS_PER_TILE = 64
"""The miniature's; the 26B has 256."""


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the servers read and write."""
    return tmp_path_factory.mktemp("contract")


@pytest.fixture(scope="session")
def servers(folder: Path) -> Iterator[list[Lmdeploy]]:
    """Two servers: of a checkpoint with a tokenizer like the 26B's, and of one as `internvl_demo convert`
    writes it. The second may be killed by a test of the balancer."""
    like_the_26b = with_slow_tokenizer(write_official_folder(folder / "a" / "InternVL-Chat-V1-5"))
    as_converted = write_official_folder(folder / "b" / "InternVL-Chat-V1-5")
    with lmdeploy_servers([like_the_26b, as_converted], folder) as running:
        yield running


@pytest.fixture(scope="session")
def lmdeploy(servers: list[Lmdeploy]) -> Lmdeploy:
    """The server that lives through all tests."""
    return servers[0]


@pytest.fixture(scope="session")
def balancer(servers: list[Lmdeploy], folder: Path) -> Iterator[str]:
    """HAProxy before both servers."""
    with haproxy([server.address for server in servers], folder / "haproxy.log") as url:
        yield url


@pytest.fixture(scope="session")
def scenes() -> tuple[Picture, Picture]:
    """Two pictures; only the second shows a cat."""
    by_name = {kind.en: kind for kind in kinds()}
    first = draw_scene(2_000_000_057, size_wh=(640, 480), wanted={by_name["apple"]: 2, by_name["bus"]: 1})
    second = draw_scene(2_000_000_058, size_wh=(512, 512), wanted={by_name["cat"]: 1, by_name["tree"]: 2})
    return first, second


def backend_to(url: str, api_key: str | None = KEY, model: str | None = None) -> ServerBackend:
    """The page's backend, for the miniature's tiles."""
    return ServerBackend(url, api_key, model, tokens_per_tile=TOKENS_PER_TILE)


def in_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """An asynchronous test as a plain one; what hangs fails."""

    @wraps(test)
    def plain(*args: Any, **kwargs: Any) -> None:
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), 900))

    return plain
