"""What axe-core finds on a page."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page


def serious(page: Page, where: str | None = None) -> list[Any]:
    """What axe-core finds that is serious or critical."""
    page.wait_for_function("document.getAnimations().length === 0")
    found = Axe().run(page, context=where).response["violations"]
    bad = [one for one in found if one["impact"] in ("serious", "critical")]
    return [(one["id"], [node["target"] for node in one["nodes"]]) for one in bad]
