"""What is wired to what: the page's events -> the handlers of `handlers` and `composer` -> the page's components.

Every event says what the browser shows (`Seen`): whose page it is, which conversation, in which language, what
waits in the composer. What streams (an answer that comes) ends when the page turns to something else (`streams`):
the answer goes on, and whoever opens its conversation sees it.
"""

import itertools
import json
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any, NamedTuple

import gradio as gr

from internvl_demo.errors import DemoError
from internvl_demo.photo import Photo, open_photo
from internvl_demo.tiling import max_tiles_of
from internvl_demo.ui.composer import Composer, Shown, Waiting, fixed, too_long
from internvl_demo.ui.draft import Chip, added, attachments
from internvl_demo.ui.handlers import Desk, Message, Person, View, aside
from internvl_demo.ui.layout import STATIC, Example, Parts
from internvl_demo.ui.panel import panel
from internvl_demo.ui.session import messages, notice, spoken
from internvl_demo.ui.shelf import Shelf
from internvl_demo.ui.streams import Streams
from internvl_demo.ui.strings import Words, words_for
from internvl_demo.ui.tray import empty, tray
from internvl_demo.ui.turns import turns
from internvl_demo.ui.viewer import viewer

Updates = AsyncGenerator[list[Any], None]

QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
IN_TURN: dict[str, Any] = {**QUIET, "concurrency_limit": 1, "concurrency_id": "draft"}
"""One change of a draft after the other."""

_FILES = """(message) => {
    try { sessionStorage.setItem('internvl-text', message?.text ?? '') } catch { /* forbidden */ }
    return JSON.stringify((message?.files ?? []).map((file) => file.path))
}"""
_TAKEN = """(taken, message) => {
    const gone = new Set(JSON.parse(taken))
    return { text: message?.text ?? '', files: (message?.files ?? []).filter((file) => !gone.has(file.path)) }
}"""
"""In the browser: typing sends nothing to the server, a change of files does; what is typed meanwhile stays.
(Not `{ ...message }`: a component that was skipped once has a mark in its value by which Gradio knows updates.)"""

_OWNER = re.compile(r"[0-9a-f]{32}")
"""The secret by which a browser is known again: 128 random bits that it made itself."""

_REMEMBERED = (STATIC / "remembered.js").read_text("utf-8")
_KEEP = "(value) => {{ try {{ {}.setItem('internvl-{}', value) }} catch {{ /* forbidden */ }} }}"
_SPEAK = """(value) => {{
    document.documentElement.lang = document.documentElement.dataset.language = value
    ;({})(value)
}}""".format(_KEEP.format("localStorage", "language"))
"""In the browser: which conversation a tab shows outlives a reload, the language also the tab."""

_OTHER_LANGUAGE = "(language) => language === 'zh' ? 'en' : 'zh'"


class Seen(NamedTuple):
    """What the browser shows, in the order of `Wiring.inputs`; room: for the answer, in tokens, "" for all of it."""

    tray: Any
    message: Message
    mode: str
    most: int
    room: str
    owner: str
    shown: str
    language: str

    @property
    def words(self) -> Words:
        """In the person's language."""
        return words_for(self.language)

    @property
    def most_tiles(self) -> int:
        """The resolution mode of the page."""
        return max_tiles_of(int(self.most) if self.mode == "custom" else self.mode)

    def person(self, request: gr.Request) -> Person:
        """Who asks. For a fair share a tab, or a program's client, is somebody: behind a proxy all have one
        address, so addresses tell nothing."""
        tab = request.session_hash or ""
        return Person(self.owner if _OWNER.fullmatch(self.owner or "") else tab, tab)


class Wiring:
    """One page's parts, its desk, and the files that it shows."""

    def __init__(self, page: gr.Blocks, parts: Parts, desk: Desk):
        self.parts, self.desk, self.shelf = parts, desk, Shelf()
        self.composer = Composer(desk, self.shelf.url)
        self.beats, self.streams = itertools.count(1), Streams()
        who = [parts.owner, parts.shown, parts.language]
        self.inputs = [parts.tray, parts.composer, parts.mode, parts.most, parts.room, *who]
        self.shown = [
            *(parts.composer, parts.conversation, parts.viewer, parts.notice, parts.shown, parts.pulse),
            *(parts.panel, parts.turns, parts.tray, parts.room, parts.send, parts.stop, parts.retry),
        ]
        self.drafted, self.listed = [parts.tray, parts.bar], [parts.notice, parts.panel]
        waiting = [parts.composer, parts.tray]
        remembered = page.load(None, parts.tray, [*who, *waiting], js=_REMEMBERED, **QUIET)
        following = self._answers(remembered)
        changed = self._conversations(following)
        self._languages(following)
        self._composer([*following, *changed])

    # What is wired

    def _answers(self, remembered: Any) -> list[Any]:
        """What may stream: the page as it is opened, Send, Retry, an edited question. And Stop."""
        parts, inputs, shown = self.parts, self.inputs, self.shown
        parts.stop.click(self.on_stop, inputs, shown, **QUIET)
        parts.shown.change(None, parts.shown, js=_KEEP.format("sessionStorage", "conversation"), **QUIET)
        return [
            remembered.then(self.on_open, inputs, shown, **QUIET),
            parts.pulse.click(self.on_open, inputs, shown, **QUIET),
            parts.retry.click(self.on_retry, inputs, shown, **QUIET),
            parts.turns.edit(self.on_edit, inputs, shown, **QUIET),
            gr.on([parts.send.click, parts.composer.submit], self.on_ask, inputs, shown, **QUIET),
        ]

    def _conversations(self, following: list[Any]) -> list[Any]:
        """A new one, another one, a changed one; what else may change the one that is shown."""
        parts, inputs, shown = self.parts, self.inputs, self.shown
        begun = gr.on([parts.clear.click, parts.panel.clear], self.on_new, inputs, shown, **QUIET)
        # the browser knows first which conversation it shows; then that is opened as after a reload
        selected = parts.panel.select(self.on_select, None, parts.shown, **QUIET)
        deleted = parts.panel.delete(self.on_delete, inputs, shown, **QUIET)
        following.append(selected.then(self.on_open, inputs, shown, **QUIET))
        parts.panel.edit(self.on_rename, inputs, self.listed, **QUIET)
        undone = parts.turns.undo(self.on_undo, inputs, shown, **QUIET)
        return [begun, deleted, undone, parts.turns.select(self.on_version, inputs, shown, **QUIET)]

    def _languages(self, following: list[Any]) -> None:
        """All texts, when the person speaks another language than the browser says, or changes it."""
        parts = self.parts
        labelled = [part for part, _ in parts.labelled]
        changed = parts.switch.click(None, parts.language, parts.language, js=_OTHER_LANGUAGE, **QUIET)
        parts.language.change(_relabelled(parts), parts.language, labelled, **QUIET)
        parts.language.change(None, parts.language, js=_SPEAK, **QUIET)
        following.append(changed.then(self.on_open, self.inputs, self.shown, **QUIET))

    def _composer(self, conversation: list[Any]) -> None:
        """The tray, the context bar, the examples. `conversation`: what changes the one that is shown."""
        parts, inputs, drafted = self.parts, self.inputs, self.drafted
        parts.composer.change(None, parts.composer, parts.files, js=_FILES, **QUIET)
        taken = parts.files.change(self.on_files, inputs, drafted, trigger_mode="always_last", **IN_TURN)
        taken.then(None, [parts.files, parts.composer], parts.composer, js=_TAKEN, **QUIET)
        parts.mode.change(lambda mode: gr.update(visible=mode == "custom"), parts.mode, parts.most, **QUIET)
        modes = [parts.mode.change, parts.most.change]
        gr.on(modes, self.on_draft, inputs, drafted, trigger_mode="always_last", **IN_TURN)
        for changed in conversation:  # its images are numbered first, and take of the context
            changed.then(self.on_draft, inputs, drafted, **IN_TURN)
        parts.tray.act(self.on_act, inputs, drafted, trigger_mode="multiple", **IN_TURN)
        fetched = parts.tray.fetch(self.on_fetch, None, parts.got, **QUIET)
        fetched.then(self.on_fetched, [parts.got, *inputs], drafted, **IN_TURN)
        parts.viewer.ask_region(self.on_region, inputs, drafted, trigger_mode="multiple", **IN_TURN)
        mended = parts.bar.fix(self.on_fix, inputs, [*drafted, parts.room, parts.shown], **IN_TURN)
        mended.then(self.on_open, inputs, self.shown, **QUIET)
        parts.inspector.click(self.on_inspect, inputs, parts.inspector, **QUIET)
        for example in parts.examples:
            chosen = self._chosen(example)
            example.button.click(chosen, parts.language, [parts.composer, parts.tray], **QUIET)

    # What is shown

    def show(self, view: View, seen: Seen, person: Person) -> list[Any]:
        """The values of `self.shown`."""
        session, info, words = view.session, self.desk.info, seen.words
        conversation_id = session.record.id if session.record else ""
        kept = view.text is None
        return [
            gr.skip() if kept else {"text": view.text, "files": []},
            messages(session, info, words, self.shelf.path),
            viewer(session, info, self.shelf.url, words),
            gr.skip() if view.noticed else spoken(view.notice or notice(), words),
            conversation_id,
            {"beat": next(self.beats), "running": view.running},
            gr.skip() if view.entries is None else panel(view.entries, conversation_id, words),
            turns(session, view.running, info, words),
            gr.skip() if kept else self._tray(view, words, person),
            gr.skip() if kept else "",
            gr.update(interactive=not view.running),
            gr.update(interactive=view.running),
            gr.update(interactive=bool(session.conversation.turns) and not view.running),
        ]

    def _tray(self, view: View, words: Words, person: Person) -> dict[str, Any]:
        """With the view's images, each at the resolution that it was sent at."""
        draft = tuple(Chip(image.photo, image.max_tiles, image.origin) for image in view.images)
        self.composer.drafts.put(person.tab, draft)
        before = view.session.conversation.images
        return tray(draft, 1, self.desk.info, self.shelf.url, words, before=before)

    async def _showing(self, views: AsyncGenerator[View, None], seen: Seen, person: Person) -> Updates:
        async with aclosing(self.streams.showing(person.tab, views)) as shown:
            async for view in shown:
                yield self.show(view, seen, person)

    async def _waiting(self, seen: Seen, person: Person) -> Waiting:
        """What would be sent now. What cannot be had is not there."""
        longest = self.desk.options.max_new_tokens
        room = int(seen.room) if (seen.room or "").isdecimal() else longest
        view = await self.desk.look(person, seen.shown)
        conversation = view.session.conversation
        if view.running:
            conversation = conversation.answered("")  # or its question would count as one that gives way
        draft, problem = await aside(self.composer.drafts.of, person.tab, seen.tray)
        text = (seen.message.get("text") or "").strip()
        answer_tokens = min(room, longest) or longest
        return Waiting(text, draft, seen.most_tiles, answer_tokens, conversation, problem)

    # Events of the conversation

    async def on_open(self, request: gr.Request, *values: Any) -> Updates:
        seen = Seen(*values)
        person = seen.person(request)
        views = self.desk.open(person, seen.shown, seen.words)
        async with aclosing(self._showing(views, seen, person)) as updates:
            async for update in updates:
                yield update

    async def on_ask(self, request: gr.Request, *values: Any) -> Updates:
        seen = Seen(*values)
        person, words = seen.person(request), seen.words
        waiting = await self._waiting(seen, person)
        problem = notice(waiting.problem) if waiting.problem else too_long(waiting, self.desk, words)
        files: list[Photo] = []
        try:
            files = [await aside(open_photo, path) for path in seen.message.get("files") or []]
        except DemoError as error:
            problem = notice(error)
        if problem:
            self.composer.drafts.put(person.tab, waiting.draft)  # said once
            views = self.desk.open(person, seen.shown, words, problem)
        else:
            images = attachments(added(waiting.draft, files), waiting.most)
            options = replace(self.desk.options, max_new_tokens=waiting.answer_tokens)
            views = self.desk.ask(waiting.text, images, person, seen.shown, words, options)
        async with aclosing(self._showing(views, seen, person)) as updates:
            async for update in updates:
                yield update

    async def on_retry(self, request: gr.Request, *values: Any) -> Updates:
        seen = Seen(*values)
        person = seen.person(request)
        views = self.desk.retry(person, seen.shown, seen.words)
        async with aclosing(self._showing(views, seen, person)) as updates:
            async for update in updates:
                yield update

    async def on_edit(self, request: gr.Request, event: gr.EventData, *values: Any) -> Updates:
        seen, (question, text) = Seen(*values), told(event, "question", "text")
        person = seen.person(request)
        views = self.desk.edit(person, seen.shown, question, text, seen.words)
        async with aclosing(self._showing(views, seen, person)) as updates:
            async for update in updates:
                yield update

    async def on_stop(self, request: gr.Request, *values: Any) -> list[Any]:
        seen = Seen(*values)
        person = seen.person(request)
        return self.show(await self.desk.stop(person, seen.shown), seen, person)

    async def on_new(self, request: gr.Request, *values: Any) -> list[Any]:
        seen = Seen(*values)
        person = seen.person(request)
        await self.streams.end(person.tab)
        return self.show(View(text="", entries=await self.desk.entries(person)), seen, person)

    async def on_select(self, request: gr.Request, event: gr.EventData) -> str:
        await self.streams.end(request.session_hash or "")
        return told(event, "id")[0]

    async def on_rename(self, request: gr.Request, event: gr.EventData, *values: Any) -> list[Any]:
        seen, (named, title) = Seen(*values), told(event, "id", "title")
        person = seen.person(request)
        return await self._listed(await self.desk.rename(person, named, title), seen, person)

    async def on_delete(self, request: gr.Request, event: gr.EventData, *values: Any) -> Any:
        seen, (deleted,) = Seen(*values), told(event, "id")
        person = seen.person(request)
        if deleted == seen.shown:
            await self.streams.end(person.tab)
        problem = await self.desk.delete(person, deleted)
        if deleted == seen.shown:
            return self.show(View(notice=problem, entries=await self.desk.entries(person)), seen, person)
        return dict(zip(self.listed, await self._listed(problem, seen, person), strict=True))

    async def _listed(self, problem: dict[str, str] | None, seen: Seen, person: Person) -> list[Any]:
        """The values of `self.listed`, when nothing else changes: an answer may just be coming."""
        entries = await self.desk.entries(person)
        said = spoken(problem, seen.words) if problem else gr.skip()
        return [said, panel(entries, seen.shown, seen.words)]

    async def on_undo(self, request: gr.Request, *values: Any) -> list[Any]:
        seen = Seen(*values)
        person = seen.person(request)
        return self.show(await self.desk.undo(person, seen.shown), seen, person)

    async def on_version(self, request: gr.Request, event: gr.EventData, *values: Any) -> list[Any]:
        seen, (version,) = Seen(*values), told(event, "version")
        person = seen.person(request)
        return self.show(await self.desk.choose(person, seen.shown, version), seen, person)

    async def on_inspect(self, request: gr.Request, event: gr.EventData, *values: Any) -> Any:
        seen = Seen(*values)
        view = await self.desk.look(seen.person(request), seen.shown)
        turn = event._data.get("turn") if isinstance(event._data, dict) else None
        conversation = view.session.conversation
        value = await aside(self.desk.prompt, conversation, turn, self.shelf.url, seen.words)
        return gr.skip() if value is None else value

    # Events of the composer

    async def on_draft(self, request: gr.Request, *values: Any) -> Shown:
        seen = Seen(*values)
        waiting = await self._waiting(seen, seen.person(request))
        return await aside(self.composer.shown, waiting, seen.words)

    async def on_files(self, request: gr.Request, *values: Any) -> Any:
        seen = Seen(*values)
        files, person = seen.message.get("files") or [], seen.person(request)
        if not files:
            return gr.skip(), gr.skip()
        return await aside(
            self.composer.taken, await self._waiting(seen, person), files, seen.words, person.tab
        )

    async def on_act(self, request: gr.Request, event: gr.EventData, *values: Any) -> Shown:
        seen, deed = Seen(*values), event._data if isinstance(event._data, dict) else {}
        person = seen.person(request)
        return await aside(
            self.composer.acted, await self._waiting(seen, person), deed, seen.words, person.tab
        )

    async def on_fetch(self, event: gr.EventData) -> str:
        (url,) = told(event, "url")
        return json.dumps({**await self.composer.fetched(url), "beat": next(self.beats)})

    async def on_fetched(self, request: gr.Request, got: str, *values: Any) -> Shown:
        seen = Seen(*values)
        person = seen.person(request)
        waiting = await self._waiting(seen, person)
        return await aside(self.composer.with_fetched, waiting, json.loads(got), seen.words, person.tab)

    async def on_region(self, request: gr.Request, event: gr.EventData, *values: Any) -> Shown:
        seen = Seen(*values)
        person = seen.person(request)
        waiting = await self._waiting(seen, person)
        return await aside(self.composer.pointed, waiting, event._data, seen.words, person.tab)

    async def on_fix(self, request: gr.Request, event: gr.EventData, *values: Any) -> list[Any]:
        seen, (key,) = Seen(*values), told(event, "key")
        person, shown = seen.person(request), seen.shown
        waiting = await self._waiting(seen, person)
        if fix := self.composer.fix(waiting, key):
            await self.streams.end(person.tab)
            waiting = fixed(waiting, fix)
            self.composer.drafts.put(person.tab, waiting.draft)
            shown = "" if fix.new_conversation else shown
        drafted = await aside(self.composer.shown, waiting, seen.words)
        return [*drafted, str(waiting.answer_tokens), shown]

    def _chosen(self, example: Example) -> Any:
        def on_example(language: str, request: gr.Request) -> list[Any]:
            self.composer.drafts.put(request.session_hash or "", ())
            return [example.message(words_for(language)), empty()]

        return on_example


def told(event: gr.EventData, *names: str) -> list[str]:
    """What a widget says with an event: text, whatever it was."""
    data = event._data if isinstance(event._data, dict) else {}
    return [str(data.get(name) or "") for name in names]


def _relabelled(parts: Parts) -> Any:
    def relabel(language: str) -> list[Any]:
        return [gr.update(**texts(words_for(language))) for _, texts in parts.labelled]

    return relabel
