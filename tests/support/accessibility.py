"""What axe-core finds on a page, in the views of a page that differ most."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}}
VIEWS: dict[str, dict[str, Any]] = {"light": {}, "dark": {"color_scheme": "dark"}, "phone": PHONE}
DRAWN_SO = """(dark) => !document.querySelector('.gradio-container')
    || document.body.classList.contains('dark') === dark"""


def look(page: Page, viewport: Any = None, color_scheme: Any = "light") -> None:
    """Let a page that is open be in another view; an ordinary one unless told."""
    page.set_viewport_size(viewport or {"width": 1440, "height": 900})
    page.emulate_media(color_scheme=color_scheme)
    page.wait_for_function(DRAWN_SO, arg=color_scheme == "dark")


def faults(page: Page, where: str | None = None) -> list[Any]:
    """What axe-core finds, however small."""
    page.wait_for_function("document.getAnimations().length === 0")
    found = Axe().run(page, context=where).response["violations"]
    return [(one["id"], [node["target"] for node in one["nodes"]]) for one in found]
