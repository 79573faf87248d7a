"""The tables, version by version: script n brings a database of version n to version n + 1.

Scripts that were released are never changed. Beside SQLite's functions they may use those that `prepare` adds.

    version 1  conversations, questions, images, versions of answers; photos by what they show
    version 2  failures as templates with values
    version 3  photos that wait to be sent; how an answer was asked for
    version 4  photos by a random id of one owner's; when the clock was last looked at
    version 5  questions as a tree
    version 6  what a model thought before its answer, apart from it
"""

import secrets
import sqlite3
from collections.abc import Callable

MIGRATIONS = (
    """
    CREATE TABLE conversations (
        id TEXT PRIMARY KEY,
        owner TEXT NOT NULL,
        title TEXT,                   -- NULL: called after its first question
        created_at REAL NOT NULL,
        updated_at REAL NOT NULL,     -- by its owner or the model: the order of the list
        touched_at REAL NOT NULL      -- read or updated: what the time to live counts from
    );
    CREATE INDEX conversations_owner ON conversations (owner, updated_at);
    CREATE TABLE photos (
        id TEXT PRIMARY KEY,
        mime TEXT NOT NULL,
        original INTEGER NOT NULL,    -- whether the file is the one that was sent
        digest TEXT NOT NULL,         -- sha256 of the file
        width INTEGER NOT NULL,
        height INTEGER NOT NULL,
        added_at REAL NOT NULL        -- the last time
    );
    CREATE TABLE questions (
        id TEXT PRIMARY KEY,
        conversation TEXT NOT NULL REFERENCES conversations ON DELETE CASCADE,
        number INTEGER NOT NULL,
        text TEXT NOT NULL,
        chosen TEXT REFERENCES versions ON DELETE SET NULL,
        UNIQUE (conversation, number)
    );
    CREATE TABLE images (
        question TEXT NOT NULL REFERENCES questions ON DELETE CASCADE,
        number INTEGER NOT NULL,
        photo TEXT NOT NULL REFERENCES photos,    -- which keeps the photo from being removed
        name TEXT NOT NULL,
        max_tiles INTEGER NOT NULL,
        origin TEXT,                  -- JSON
        PRIMARY KEY (question, number)
    );
    CREATE INDEX images_photo ON images (photo);
    CREATE TABLE versions (
        id TEXT PRIMARY KEY,
        question TEXT NOT NULL REFERENCES questions ON DELETE CASCADE,
        number INTEGER NOT NULL,
        raw TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('running', 'complete', 'stopped', 'broken')),
        model TEXT NOT NULL,
        started_at REAL NOT NULL,
        ttft_s REAL,
        total_s REAL NOT NULL,
        usage TEXT,                   -- JSON
        what TEXT,
        next_step TEXT,
        UNIQUE (question, number)
    );
    """,
    """
    ALTER TABLE versions ADD COLUMN failure TEXT;  -- JSON: what and next_step, as templates with values
    """,
    """
    ALTER TABLE photos ADD COLUMN waits_until REAL NOT NULL DEFAULT 0;  -- to be sent; no conversation names it yet
    ALTER TABLE versions ADD COLUMN options TEXT;  -- JSON: how it was asked for; NULL: as the demo's settings say
    """,
    """
    CREATE TEMP TABLE moved AS            -- of each owner's photos: the old id, and the new one
        SELECT random_id() AS id, *, NULL AS source FROM (
            SELECT DISTINCT c.owner AS owner, i.photo AS old, i.name AS name, coalesce(i.origin, '') AS origin
            FROM images i JOIN questions q ON q.id = i.question JOIN conversations c ON c.id = q.conversation
        );
    CREATE INDEX temp.moved_old ON moved (owner, old);
    CREATE TEMP TABLE sent AS
        SELECT q.conversation AS conversation, i.question AS question, i.number AS number,
            i.max_tiles AS max_tiles, m.id AS photo
        FROM images i JOIN questions q ON q.id = i.question JOIN conversations c ON c.id = q.conversation
        JOIN moved m ON m.owner = c.owner AND m.old = i.photo AND m.name = i.name
            AND m.origin = coalesce(i.origin, '');
    CREATE INDEX temp.sent_photo ON sent (photo);
    CREATE INDEX temp.sent_conversation ON sent (conversation);
    UPDATE moved SET source = coalesce(   -- the photo that it was made from, best one of the same conversation
            (
                SELECT s.id FROM sent a JOIN sent b ON b.conversation = a.conversation JOIN moved s ON s.id = b.photo
                WHERE a.photo = moved.id AND s.old = json_extract(moved.origin, '$[0]') LIMIT 1
            ),
            (
                SELECT s.id FROM moved s
                WHERE s.owner = moved.owner AND s.old = json_extract(moved.origin, '$[0]') LIMIT 1
            )
        ) WHERE origin <> '';
    CREATE TABLE photos_4 (
        id TEXT PRIMARY KEY,          -- 128 random bits in hex: its address, which nobody guesses
        owner TEXT NOT NULL,
        digest TEXT NOT NULL,         -- sha256 of the file, which several rows may share
        mime TEXT NOT NULL,
        original INTEGER NOT NULL,    -- whether a model server may get the file as it is
        bytes INTEGER NOT NULL,       -- the file's
        width INTEGER NOT NULL,
        height INTEGER NOT NULL,
        name TEXT NOT NULL,
        origin TEXT NOT NULL,         -- JSON: what it was made from; or ''
        added_at REAL NOT NULL,       -- the last time
        waits_until REAL NOT NULL,    -- to be sent; 0: it does not wait
        UNIQUE (owner, digest, name, origin)
    );
    INSERT INTO photos_4
        SELECT m.id, m.owner, p.digest, p.mime, p.original, file_bytes(p.digest, p.mime), p.width, p.height, m.name,
            CASE WHEN m.source IS NULL THEN m.origin ELSE json_set(m.origin, '$[0]', m.source) END,
            p.added_at, 0
        FROM moved m JOIN photos p ON p.id = m.old;
    DROP TABLE images;
    DROP TABLE photos;
    ALTER TABLE photos_4 RENAME TO photos;
    CREATE INDEX photos_digest ON photos (digest);
    CREATE INDEX photos_waiting ON photos (waits_until) WHERE waits_until > 0;
    CREATE TABLE images (
        question TEXT NOT NULL REFERENCES questions ON DELETE CASCADE,
        number INTEGER NOT NULL,
        photo TEXT NOT NULL REFERENCES photos,    -- which keeps the photo from being removed
        max_tiles INTEGER NOT NULL,
        PRIMARY KEY (question, number)
    );
    INSERT INTO images SELECT question, number, photo, max_tiles FROM sent;
    CREATE INDEX images_photo ON images (photo);
    DROP TABLE sent;
    DROP TABLE moved;
    CREATE TABLE clock (seen_at REAL NOT NULL);   -- one row: the time when the store last looked
    """,
    """
    ALTER TABLE questions ADD COLUMN              -- the question that it follows; NULL: the first
        parent TEXT REFERENCES questions DEFERRABLE INITIALLY DEFERRED;
    ALTER TABLE questions ADD COLUMN shown INTEGER NOT NULL DEFAULT 1;  -- whether it is shown among its siblings
    UPDATE questions SET parent = (
            SELECT earlier.id FROM questions earlier
            WHERE earlier.conversation = questions.conversation AND earlier.number < questions.number
            ORDER BY earlier.number DESC LIMIT 1
        );
    CREATE INDEX questions_parent ON questions (parent);
    CREATE UNIQUE INDEX questions_shown ON questions (conversation, coalesce(parent, '')) WHERE shown;
    """,
    """
    ALTER TABLE versions ADD COLUMN thinking TEXT NOT NULL DEFAULT '';
    ALTER TABLE versions ADD COLUMN thought_s REAL;  -- NULL: it did not, or nobody measured
    UPDATE versions SET thinking = substr(raw, 8, instr(raw, '</think>') - 8),
            raw = ltrim(substr(raw, instr(raw, '</think>') + 8), char(9, 10, 13, 32))
        WHERE substr(raw, 1, 7) = '<think>' AND instr(raw, '</think>') > 0;
    """,
)


def prepare(connection: sqlite3.Connection, file_bytes: Callable[[str, str], int]) -> None:
    """Add what the scripts use: new ids, and how large a photo's file is, by digest and MIME type."""
    connection.create_function("random_id", 0, lambda: secrets.token_hex(16))
    connection.create_function("file_bytes", 2, file_bytes)
