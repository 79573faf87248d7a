"""What is wired to what: the page's events -> the handlers of `handlers` and `composer` -> the page's components.

Every event says what the browser shows (`Seen`): whose page it is, which conversation, in which language, what
waits in the composer. What streams (an answer that comes) ends when the page turns to something else (`streams`):
the answer goes on, and whoever opens its conversation sees it.
"""

import itertools
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import gradio as gr

from internvl_demo.errors import DemoError
from internvl_demo.photos.decode import Photo, open_photo
from internvl_demo.web.composer import Change, Composer, Shown, Waiting, edit_too_long, fixed, too_long
from internvl_demo.web.draft import Chip, Draft, acted, added, attachments, exchanged, joined
from internvl_demo.web.drafts import MAX_CHIPS, too_many
from internvl_demo.web.handlers import Desk, Person, View, aside
from internvl_demo.web.layout import STATIC, Example, Parts, relabelled
from internvl_demo.web.panel import panel
from internvl_demo.web.seen import Seen, told
from internvl_demo.web.session import messages, notice, spoken
from internvl_demo.web.shelf import Shelf
from internvl_demo.web.streams import Streams
from internvl_demo.web.tray import tray
from internvl_demo.web.turns import turns
from internvl_demo.web.viewer import viewer

Updates = AsyncGenerator[list[Any], None]

QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
_FILES, _TAKEN, _GIVEN, _REMEMBERED = (
    (STATIC / f"{name}.js").read_text("utf-8") for name in ("files", "taken", "given", "remembered")
)
"""In the browser: typing sends nothing to the server, a change of files does; what is typed meanwhile stays."""

_KEEP = "(value) => {{ try {{ {}.setItem('internvl-{}', value) }} catch {{ /* forbidden */ }} }}"
_SPEAK = """(value) => {{
    document.documentElement.lang = document.documentElement.dataset.language = value
    ;({})(value)
}}""".format(_KEEP.format("localStorage", "language"))
"""In the browser: which conversation a tab shows outlives a reload, the language also the tab."""

_OTHER_LANGUAGE = "(language) => language === 'zh' ? 'en' : 'zh'"


class Wiring:
    """One page's parts, its desk, and the files that it shows."""

    def __init__(self, page: gr.Blocks, parts: Parts, desk: Desk):
        self.parts, self.desk, self.shelf = parts, desk, Shelf()
        self.composer = Composer(desk, self.shelf.url)
        self.beats, self.streams = itertools.count(1), Streams()
        who = [parts.owner, parts.shown, parts.language]
        self.inputs = [parts.tray, parts.composer, parts.mode, parts.most, parts.room, *who]
        self.shown = [
            *(parts.given, parts.conversation, parts.viewer, parts.notice, parts.shown, parts.pulse),
            *(parts.panel, parts.turns, parts.tray, parts.room, parts.send, parts.stop, parts.retry),
        ]
        self.drafted, self.listed = [parts.tray, parts.bar], [parts.notice, parts.panel]
        waiting = [parts.composer, parts.tray]
        remembered = page.load(None, waiting[::-1], [*who, *waiting], js=_REMEMBERED, **QUIET)
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
            remembered.then(self.on_load, inputs, shown, **QUIET),
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
        parts.language.change(relabelled(parts), parts.language, labelled, **QUIET)
        parts.language.change(None, parts.language, js=_SPEAK, **QUIET)
        following.append(changed.then(self.on_open, self.inputs, self.shown, **QUIET))

    def _composer(self, conversation: list[Any]) -> None:
        """The tray, the context bar, the examples. `conversation`: what changes the one that is shown."""
        parts, inputs, drafted = self.parts, self.inputs, self.drafted
        parts.given.change(None, [parts.given, parts.composer], parts.composer, js=_GIVEN, **QUIET)
        parts.composer.change(None, parts.composer, parts.files, js=_FILES, **QUIET)
        taken = parts.files.change(self.on_files, inputs, drafted, trigger_mode="always_last", **QUIET)
        taken.then(None, [parts.files, parts.composer], parts.composer, js=_TAKEN, **QUIET)
        parts.mode.change(lambda mode: gr.update(visible=mode == "custom"), parts.mode, parts.most, **QUIET)
        modes = [parts.mode.change, parts.most.change]
        gr.on(modes, self.on_draft, inputs, drafted, trigger_mode="always_last", **QUIET)
        for changed in conversation:  # its images are numbered first, and take of the context
            changed.then(self.on_draft, inputs, drafted, **QUIET)
        parts.tray.act(self.on_act, inputs, drafted, trigger_mode="multiple", **QUIET)
        fetched = parts.tray.fetch(self.on_fetch, None, parts.got, **QUIET)
        fetched.then(self.on_fetched, [parts.got, *inputs], drafted, **QUIET)
        parts.viewer.ask_region(self.on_region, inputs, drafted, trigger_mode="multiple", **QUIET)
        parts.bar.typed(self.on_typed, inputs, parts.bar, trigger_mode="always_last", **QUIET)
        mended = parts.bar.fix(self.on_fix, inputs, [*drafted, parts.room, parts.shown], **QUIET)
        mended.then(self.on_open, inputs, self.shown, **QUIET)
        parts.inspector.click(self.on_inspect, inputs, parts.inspector, **QUIET)
        for example in parts.examples:
            example.button.click(self._chosen(example), inputs, [parts.given, *drafted], **QUIET)

    # What is shown

    def show(self, view: View, seen: Seen, person: Person) -> list[Any]:
        """The values of `self.shown`."""
        session, info, words = view.session, self.desk.info, seen.words
        conversation_id = session.record.id if session.record else ""
        kept, again = view.text is None, bool(session.conversation.turns)
        sent = {"text": seen.text, "files": seen.files} if view.sent else None
        return [
            gr.skip() if kept else self._give(sent, view.text or ""),
            messages(session, info, words, self.shelf.path),
            viewer(session, info, self.shelf.url, words),
            gr.skip() if view.noticed else spoken(view.notice or notice(), words),
            conversation_id,
            {"beat": next(self.beats), "running": view.running},
            gr.skip() if view.entries is None else panel(view.entries, conversation_id, words),
            turns(session, view.running, info, words),
            gr.skip() if kept else self._tray(view, seen, person),
            gr.skip() if kept else "",
            # with their names: an update that comes before the page's texts would leave a button without one
            gr.update(value=words("send"), interactive=not view.running),
            gr.update(value=words("stop"), interactive=view.running),
            gr.update(value=words("retry"), interactive=again and not view.running),
        ]

    def _give(self, sent: dict[str, Any] | None, back: str, over: Sequence[str] = ()) -> str:
        """What the composer loses to a question that is sent, and gets back of one that was; for `static/given.js`."""
        return json.dumps({"beat": next(self.beats), "sent": sent, "back": back, "over": over})

    def _tray(self, view: View, seen: Seen, person: Person) -> dict[str, Any]:
        """What waits; before it the view's images, each at the resolution that it was sent at."""
        back = tuple(Chip(image.photo, image.max_tiles, image.origin) for image in view.images)
        self.composer.drafts.change(person.tab, seen.tray, partial(joined, back))
        draft, problem = self.composer.drafts.of(person.tab, seen.tray)
        drawn = (draft, seen.most_tiles, self.desk.info, self.shelf.url, seen.words)
        return tray(*drawn, before=view.session.conversation.images, problem=problem)

    async def _showing(self, views: AsyncGenerator[View, None], seen: Seen, person: Person) -> Updates:
        async with aclosing(self.streams.showing(person.tab, views)) as shown:
            async for view in shown:
                yield self.show(view, seen, person)

    async def _waiting(self, seen: Seen, person: Person) -> Waiting:
        """What would be sent now. What cannot be had is not there."""
        view = await self.desk.look(person, seen.shown)
        conversation = view.session.conversation
        if view.running:
            conversation = conversation.answered("")  # or its question would count as one that gives way
        draft, problem = await aside(self.composer.drafts.of, person.tab, seen.tray)
        room = seen.answer_tokens(self.desk.options.max_new_tokens)
        return Waiting(seen.text.strip(), draft, seen.most_tiles, room, conversation, problem)

    # Events of the conversation

    async def on_open(self, request: gr.Request, *values: Any) -> Updates:
        seen = Seen(*values)
        person = seen.person(request)
        views = self.desk.open(person, seen.shown, seen.words)
        async with aclosing(self._showing(views, seen, person)) as updates:
            async for update in updates:
                yield update

    async def on_load(self, request: gr.Request, *values: Any) -> Updates:
        """As `on_open`; a person may have been faster than the page."""
        if self.streams.begun(request.session_hash or ""):
            return
        async with aclosing(self.on_open(request, *values)) as updates:
            async for update in updates:
                yield update

    async def on_ask(self, request: gr.Request, *values: Any) -> Updates:
        seen = Seen(*values)
        person, words = seen.person(request), seen.words
        waiting = await self._waiting(seen, person)
        problem = notice(waiting.problem) if waiting.problem else too_long(waiting, self.desk, words)
        files: list[Photo] = []
        try:
            files = [await aside(open_photo, path) for path in seen.files]
            if len(added(waiting.draft, files)) > MAX_CHIPS:
                raise too_many()
        except DemoError as error:
            problem = notice(error)
        if problem:
            self.composer.drafts.change(person.tab, seen.tray, lambda draft: draft)  # said once
            views = self.desk.open(person, seen.shown, words, problem)
        else:
            draft = added(waiting.draft, files)
            options = replace(self.desk.options, max_new_tokens=waiting.answer_tokens)
            images = attachments(draft, waiting.most)
            asked = self.desk.ask(waiting.text, images, person, seen.shown, words, options)
            views = self._sending(asked, draft, seen, person)
        async with aclosing(self._showing(views, seen, person)) as updates:
            async for update in updates:
                yield update

    async def _sending(
        self, views: AsyncGenerator[View, None], draft: Draft, seen: Seen, person: Person
    ) -> AsyncGenerator[View, None]:
        """The views of a question; what it took of the draft is gone when it is sent."""
        async with aclosing(views):
            async for view in views:
                if view.sent:
                    self.composer.drafts.send(person.tab, draft, seen.files)
                yield view

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
        session = (await self.desk.look(person, seen.shown)).session
        if problem := await aside(edit_too_long, session, question, text, self.desk, seen.words):
            views = self.desk.open(person, seen.shown, seen.words, problem)
        else:
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
        value = await aside(self.desk.prompt, view.session, turn, self.shelf.url, seen.words)
        return gr.skip() if value is None else value

    # Events of the composer

    async def on_draft(self, request: gr.Request, *values: Any) -> Shown:
        seen = Seen(*values)
        person = seen.person(request)
        async with self.composer.in_turn(person.tab):
            return await self._drafted(seen, person)

    async def on_typed(self, request: gr.Request, *values: Any) -> dict[str, Any]:
        seen = Seen(*values)
        person = seen.person(request)
        async with self.composer.in_turn(person.tab):
            return await aside(self.composer.bar, await self._waiting(seen, person), seen.words)

    async def _drafted(self, seen: Seen, person: Person, change: Change | None = None) -> Shown:
        """What waits, after a change."""
        if change:
            by, problem = change
            await aside(self.composer.drafts.change, person.tab, seen.tray, by, problem)
        waiting = await self._waiting(seen, person)
        return await aside(self.composer.shown, waiting, seen.words)

    async def on_files(self, request: gr.Request, *values: Any) -> Any:
        seen = Seen(*values)
        files, person, composer = seen.files, seen.person(request), self.composer
        if not files:
            return gr.skip(), gr.skip()
        sendings = composer.drafts.sendings(person.tab)
        async with composer.in_turn(person.tab):
            draft, _ = await aside(composer.drafts.of, person.tab, seen.tray)
            change = await aside(composer.taken, person.tab, files, draft, sendings)
            return await self._drafted(seen, person, change)

    async def on_act(self, request: gr.Request, event: gr.EventData, *values: Any) -> Shown:
        seen, deed = Seen(*values), event._data if isinstance(event._data, dict) else {}
        person = seen.person(request)
        async with self.composer.in_turn(person.tab):
            return await self._drafted(seen, person, (partial(acted, deed=deed), None))

    async def on_fetch(self, event: gr.EventData) -> str:
        (url,) = told(event, "url")
        return json.dumps({**await self.composer.fetched(url), "beat": next(self.beats)})

    async def on_fetched(self, request: gr.Request, got: str, *values: Any) -> Shown:
        seen = Seen(*values)
        person = seen.person(request)
        async with self.composer.in_turn(person.tab):
            change = await aside(self.composer.with_fetched, json.loads(got))
            return await self._drafted(seen, person, change)

    async def on_region(self, request: gr.Request, event: gr.EventData, *values: Any) -> Shown:
        seen = Seen(*values)
        person = seen.person(request)
        async with self.composer.in_turn(person.tab):
            conversation = (await self.desk.look(person, seen.shown)).session.conversation
            change = await aside(self.composer.pointed, event._data, conversation)
            return await self._drafted(seen, person, change)

    async def on_fix(self, request: gr.Request, event: gr.EventData, *values: Any) -> list[Any]:
        seen, (key,) = Seen(*values), told(event, "key")
        person = seen.person(request)
        async with self.composer.in_turn(person.tab):
            before = await self._waiting(seen, person)
            after, fix = before, self.composer.fix(before, key)
            if fix:
                await self.streams.end(person.tab)
                after = fixed(before, fix)
                change = partial(exchanged, old=before.draft, new=after.draft)
                now = await aside(self.composer.drafts.change, person.tab, seen.tray, change)
                after = replace(after, draft=now, problem=None)
            drafted = await aside(self.composer.shown, after, seen.words)
        shown = "" if fix and fix.new_conversation else seen.shown
        return [*drafted, str(after.answer_tokens), shown]

    def _chosen(self, example: Example) -> Any:
        async def on_example(request: gr.Request, *values: Any) -> list[Any]:
            seen = Seen(*values)
            person = seen.person(request)
            async with self.composer.in_turn(person.tab):
                change = await aside(self.composer.with_example, example.files, self.examples)
                drafted = await self._drafted(seen, person, change)
            over = [text for each in self.parts.examples for text in each.texts]
            return [self._give(None, seen.words.either(example.texts), over), *drafted]

        return on_example

    @cached_property
    def examples(self) -> frozenset[str]:
        """The ids of the examples' photos."""
        files = {file for example in self.parts.examples for file in example.files}
        return frozenset(open_photo(file).id for file in files)
