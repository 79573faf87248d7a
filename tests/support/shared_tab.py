"""A tab that several tests use one after the other, each as somebody who comes for the first time."""

from typing import Any

from playwright.sync_api import BrowserContext, Dialog, Page

from tests.support.accessibility import look

PERSON: dict[str, Any] = {"viewport": {"width": 1440, "height": 900}, "locale": "en-US"}
"""A person's browser unless a test wants another."""


class Tab:
    """A page, and what its browser reported since it was opened the last time."""

    def __init__(self, context: BrowserContext, url: str):
        self.url = url
        self.page = context.new_page()
        self.page.set_default_timeout(60_000)
        self.errors: list[str] = []
        self.dialogs: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("dialog", self._note)

    def open(self) -> Page:
        """Open the page with nothing kept from before, and no other tab."""
        for other in self.page.context.pages:
            if other != self.page:
                other.close()
        self.page.unroute_all()
        self.page.goto(f"{self.url}page/locale/en.json")  # nothing here writes while it is forgotten
        self.page.evaluate("() => { localStorage.clear(); sessionStorage.clear() }")
        look(self.page)
        self.errors.clear()
        self.dialogs.clear()
        self.page.goto(self.url)
        self.page.wait_for_selector("#send")
        return self.page

    def _note(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()
