"""The list of a person's conversations: entries of the store -> plain data for the script `static/panel`.

    {"entries": [{"id": ..., "title": "Where is the cat?", "when": 1795430559.6}], "shown": "id", "words": {...}}

What a person does comes back as events of the widget: `select` with {"id"}, `edit` with {"id", "title"}, `delete`
with {"id"}, `clear` for a new conversation. Titles are people's words, set as text.
"""

from typing import Any

from internvl_demo.store.records import Entry
from internvl_demo.web.strings import TABLE, Words

_PREFIX = "panel_"


def panel(entries: list[Entry], shown: str, words: Words) -> dict[str, Any]:
    """The whole value; see the module's opening. `shown`: the conversation that the page shows."""
    return {
        "entries": [{"id": entry.id, "title": entry.title, "when": entry.updated_at} for entry in entries],
        "shown": shown,
        "language": "zh" if words.column else "en",
        "words": {key.removeprefix(_PREFIX): words(key) for key in TABLE if key.startswith(_PREFIX)},
    }
