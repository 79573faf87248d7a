"""The page, launched for a test."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from internvl_demo.models.base import Backend
from internvl_demo.settings import Settings


def served(backend: Backend, settings: Settings) -> Iterator[str]:
    """The page's address. Launched in a thread of its own: Playwright keeps an event loop in this one."""
    from internvl_demo.web.app import launch

    with ThreadPoolExecutor(1) as thread:
        page = thread.submit(launch, backend, settings, wait=False).result()
    yield page.local_url
    page.close()
