"""The one home of a photo: a row of its owner's, and a file that rows may share.

    bytes or Photo, owner -> a row with a random id -> light Photo -> images of questions, or the page's <img>

The id is the photo's address: 128 random bits, so that whoever does not know it learns nothing, not even whether
somebody has the same picture. The same owner's same content under the same name is the same row. A photo is kept as
long as a conversation names it or it waits to be sent; when neither is so, its row goes, its file with the last row
that names it, and its decoded pixels with the file.

How much may wait is bounded, for one owner and for all together (`photos.limits`). No transactions here: `db` is
the database inside one.
"""

import json
import secrets
import sqlite3
from collections.abc import Collection, Iterable
from dataclasses import astuple

from internvl_demo.conversation.turns import Attachment
from internvl_demo.errors import PhotoError
from internvl_demo.photos import limits
from internvl_demo.photos.decode import CleanFile, called, clean_file, display_name
from internvl_demo.photos.photo import Photo, encode_lossless
from internvl_demo.photos.regions import Origin
from internvl_demo.store.faults import GoneError
from internvl_demo.store.files import StoredFile
from internvl_demo.store.rows import hashed, stored, well_formed

_MEGABYTE = 1024 * 1024
_NAMED = "EXISTS (SELECT 1 FROM images WHERE photo = photos.id)"


def prepared(data: bytes | Photo, name: str | None) -> tuple[CleanFile, str]:
    """Make of what is to be added a file without metadata, and the name that it is shown by.

    Raises PhotoError, which names the file.
    """
    if isinstance(data, bytes):
        shown = display_name(name or "")
        try:
            return clean_file(data), shown
        except PhotoError as error:
            if not shown or shown in error.what:
                raise
            raise called(shown, error) from error
    original = None if data.profile else data.original
    mime, content = original or encode_lossless(data.image, data.profile)
    shown = well_formed(data.name if name is None else name)
    return CleanFile(mime, content, data.size_wh, original is not None, data.note), shown


def check_quota(db: sqlite3.Connection, owner: str, now: float) -> None:
    """Check that one more photo may wait to be sent. Raises PhotoError."""
    waiting = "SELECT count(*), coalesce(sum(bytes), 0) FROM photos WHERE waits_until > 0 AND waits_until > ?"
    count, size = db.execute(f"{waiting} AND owner = ?", (now, hashed(owner))).fetchone()
    if count >= limits.UNSENT_PICTURES or size >= limits.UNSENT_BYTES:
        raise PhotoError(
            "{count} pictures of {size} MB were added and not sent yet; more do not fit.",
            "Send or remove some of them; those of pages that were closed go after a day.",
            count=count,
            size=size // _MEGABYTE,
        )
    count, size = db.execute(waiting, (now,)).fetchone()
    if count >= limits.ALL_UNSENT_PICTURES or size >= limits.ALL_UNSENT_BYTES:
        raise PhotoError("The server holds as many unsent pictures as it can.", "Try again later.")


def insert(
    db: sqlite3.Connection,
    owner: str,
    file: CleanFile,
    kept: StoredFile,
    name: str,
    origin: Origin | None,
    now: float,
) -> str:
    """Write the row of a file, which waits to be sent; returns its id, the one of before if there is such a row."""
    ((photo_id,),) = db.execute(
        "INSERT INTO photos VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (owner, digest, name, origin) DO UPDATE"
        " SET added_at = excluded.added_at, waits_until = excluded.waits_until RETURNING id",
        (
            secrets.token_hex(16), hashed(owner), kept.digest, kept.mime, kept.original, len(file.data),
            *file.size_wh, name, json.dumps(astuple(origin)) if origin else "", now, now + limits.UNSENT_S,
        ),
    ).fetchall()  # fmt: skip
    return str(photo_id)


def row(db: sqlite3.Connection, photo_id: str, owner: str | None) -> sqlite3.Row:
    """Find a photo's row, of whomever if no owner is given. Raises GoneError, also for somebody else's."""
    found: sqlite3.Row | None = db.execute("SELECT * FROM photos WHERE id = ?", (photo_id,)).fetchone()
    if found is None or (owner is not None and found["owner"] != hashed(owner)):
        raise GoneError("The picture is no longer kept here.", "Send it again.")
    return found


def wait(db: sqlite3.Connection, owner: str, photo_ids: Iterable[str], until: float) -> None:
    """Let photos of the owner's wait to be sent until then; 0: they wait no longer."""
    waits = "UPDATE photos SET waits_until = ? WHERE id = ? AND owner = ?"
    db.executemany(waits, [(until, photo_id, hashed(owner)) for photo_id in photo_ids])


def attach(db: sqlite3.Connection, owner: str, question_id: str, images: Collection[Attachment]) -> None:
    """Write a question's images; their photos wait no longer. Raises GoneError when one is not the owner's."""
    for number, image in enumerate(images):
        row(db, image.photo.id, owner)
        values = (question_id, number, image.photo.id, image.max_tiles)
        db.execute("INSERT INTO images VALUES (?, ?, ?, ?)", values)
    wait(db, owner, [image.photo.id for image in images], 0)


def release(db: sqlite3.Connection, now: float, owner: str | None = None) -> list[StoredFile]:
    """Delete the rows, of one owner or of all, that nothing keeps any longer.

    Returns the files that no row names any more: to be removed once the transaction is through.
    """
    whose, values = ("", (now,)) if owner is None else (" AND owner = ?", (now, hashed(owner)))
    unwanted = f"DELETE FROM photos WHERE waits_until <= ? AND NOT {_NAMED}{whose} RETURNING *"
    files = {stored(each) for each in db.execute(unwanted, values).fetchall()}
    named = "SELECT 1 FROM photos WHERE digest = ?"
    return [file for file in files if db.execute(named, (file.digest,)).fetchone() is None]
