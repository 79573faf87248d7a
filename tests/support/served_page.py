"""The page, launched for a test."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from internvl_demo.models.base import Backend
from internvl_demo.models.lmdeploy.launch import free_port
from internvl_demo.settings import Settings


def served(backend: Backend | Sequence[Backend], settings: Settings) -> Iterator[str]:
    """The page's address, at a port that nobody else looks for: tests run beside one another.

    Launched in a thread of its own: Playwright keeps an event loop in this one.
    """
    from internvl_demo.web.app import launch

    here = settings if settings.port else settings.model_copy(update={"port": free_port()})
    with ThreadPoolExecutor(1) as thread:
        page = thread.submit(launch, backend, here, wait=False).result()
    yield page.local_url
    page.close()
