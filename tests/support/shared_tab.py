"""Tabs that many tests use one after the other, each as somebody who comes for the first time.

A new context has nothing of the page in its cache and takes three times as long; so there is one for each kind of
person, and everything that a person leaves behind is forgotten before the next.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Dialog, Page

from tests.support.accessibility import look

FORGET = """([local, session]) => {
    localStorage.clear()
    sessionStorage.clear()
    Object.assign(localStorage, local)
    Object.assign(sessionStorage, session)
}"""


EMPTY: Mapping[str, str] = {}


class Tab:
    """A page, and what its browser reported since it was opened the last time."""

    def __init__(self, context: BrowserContext):
        self.free = True
        self.page = context.new_page()
        self.page.set_default_timeout(60_000)
        self._reported: list[str] = []
        context.on("weberror", lambda error: self._reported.append(str(error.error)))
        context.on("dialog", self._note)

    def open(
        self,
        url: str,
        permissions: Sequence[str] = (),
        local: Mapping[str, str] = EMPTY,
        session: Mapping[str, str] = EMPTY,
        **view: Any,
    ) -> Page:
        """Open the page in that view, with nothing kept from before but what its two storages shall hold."""
        look(self.page, **view)
        if permissions:
            self.page.context.grant_permissions([*permissions])
        self.page.goto(f"{url.rstrip('/')}/page/locale/en.json")  # nothing here writes while it is forgotten
        self.page.evaluate(FORGET, [local, session])
        self.page.goto(url)
        self.page.wait_for_selector("#send")
        return self.page

    def leave(self) -> list[str]:
        """Leave the page, with no other tab open, and return the errors of scripts and the dialogs that came."""
        if not self.page.is_closed():
            for other in self.page.context.pages:
                if other != self.page:
                    other.close()
            self.page.unroute_all()
            self.page.goto("about:blank")
            self.page.context.clear_permissions()
            self.page.context.clear_cookies()
            self.free = True
        reported, self._reported[:] = self._reported[:], []
        return reported

    def _note(self, dialog: Dialog) -> None:
        self._reported.append(f"dialog: {dialog.message}")
        dialog.dismiss()


class Tabs:
    """The tabs of a browser, by the kind of person who has them."""

    def __init__(self, browser: Browser):
        self._browser = browser
        self._tabs: dict[tuple[str, bool], list[Tab]] = {}

    @contextmanager
    def lend(self) -> Iterator[Callable[..., Page]]:
        """Yield what opens the page in a tab that nobody has; no script may fail in it, and none open a dialog."""
        taken: list[Tab] = []

        def open_page(url: str, locale: str = "en-US", has_touch: bool = False, **how: Any) -> Page:
            tab = self._take(locale, has_touch)
            taken.append(tab)
            return tab.open(url, **how)

        yield open_page
        assert [one for tab in taken for one in tab.leave()] == []

    def _take(self, locale: str, has_touch: bool) -> Tab:
        tabs = self._tabs.setdefault((locale, has_touch), [])
        tab = next((tab for tab in tabs if tab.free), None)
        if tab is None:
            tab = Tab(self._browser.new_context(locale=locale, has_touch=has_touch))
            tabs.append(tab)
        tab.free = False
        return tab
