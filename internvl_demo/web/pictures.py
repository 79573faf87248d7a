"""The commands on pictures that wait for their question: keep an upload, fetch an address, cut out a region.

    await pictures.add(owner, data, "a.gif")
    -> {"id": ..., "name": "a.gif", "size_wh": [640, 480], "url": ..., "note": Note("The file is an animation; ...")}

A picture belongs to one owner, and waits for a day. What reads files or pixels runs beside the event loop.
"""

from collections.abc import Sequence
from pathlib import Path

from internvl_demo.photos.download import fetch_file
from internvl_demo.photos.regions import derived
from internvl_demo.store import Store
from internvl_demo.web.blocking import run_blocking
from internvl_demo.web.view import Json, photo_data


class Pictures:
    """The pictures of one app's store."""

    def __init__(self, store: Store):
        self._store = store

    async def add(self, owner: str, data: bytes, name: str) -> Json:
        """Keep a picture that was uploaded; with a `Note` if there is one. Raises PhotoError, StoreError."""

        def keep() -> Json:
            photo = self._store.add_photo(owner, data, name)
            return {**photo_data(photo), "note": photo.note}

        return await run_blocking(keep)

    async def add_from(self, owner: str, url: str) -> Json:
        """Fetch a picture from a public web address and keep it. Raises PhotoError, StoreError."""
        name, data = await fetch_file(url)
        return await self.add(owner, data, name)

    async def add_region(self, owner: str, photo_id: str, way: str, box_1000: Sequence[int]) -> Json:
        """Keep a crop or a marked copy of a kept picture. Raises GoneError, RegionError, PhotoError."""

        def make() -> Json:
            whole = self._store.photo(owner, photo_id)
            photo, origin = derived({"way": way, "image": 1, "box_1000": list(box_1000)}, [whole])
            return photo_data(self._store.add_photo(owner, photo, origin=origin), origin)

        return await run_blocking(make)

    async def remove(self, owner: str, photo_id: str) -> None:
        """Give up a picture that waits. Raises GoneError."""
        await run_blocking(self._store.remove_photo, owner, photo_id)

    async def file(self, photo_id: str, owner: str | None) -> tuple[Path, str]:
        """Return the file and the MIME type of a picture; `owner`: whose it must be. Raises GoneError, PhotoError."""
        return await run_blocking(self._store.photo_file, photo_id, owner)
