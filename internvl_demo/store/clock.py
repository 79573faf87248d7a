"""What the store believes of the machine's clock: that it runs, not that it is right.

Times to live are differences of times, and a clock may be set: by a person, by a battery that is empty, by a first
contact with a time server. So the store remembers when it last looked, in the database. A step that is longer than
everything lives (a day more than `keep_days`), or back by more than an hour, is taken for a clock that was set:
nothing goes because of it. All times from which something's end counts move by the same step, so that each thing is
afterwards as old as it was before; when the clock is set right again, they move back.

    looked at 1 March; now it is 1 May; a conversation is kept for 30 days, and was touched on 20 February
    -> touched on 22 April: nine days old, as on 1 March

Whoever lets the demo rest for longer than that finds everything as they left it. A clock that goes wrong by less is
believed: it cannot be told from a machine that was off.
"""

import sqlite3

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S


def is_set(step_s: float, keep_s: float) -> bool:
    """Tell whether a step between two looks is one that a running clock does not make."""
    return not -HOUR_S <= step_s < keep_s + DAY_S


def look(db: sqlite3.Connection, now: float, keep_s: float, seen: float | None = None) -> None:
    """Remember that it is `now`; if the clock was set since the last look, move times with it.

    keep_s: how long a conversation is kept. seen: when this process last looked; None: it has not.
    """
    if seen is None:
        (seen,) = db.execute(
            "SELECT coalesce((SELECT seen_at FROM clock), (SELECT max(touched_at) FROM conversations), ?)",
            (now,),
        ).fetchone()
    step = now - seen
    db.execute("DELETE FROM clock")
    db.execute("INSERT INTO clock VALUES (?)", (now,))
    if not is_set(step, keep_s):
        return
    db.execute("UPDATE conversations SET touched_at = min(touched_at + ?, ?)", (step, now))
    db.execute("UPDATE photos SET added_at = min(added_at + ?, ?)", (step, now))
    db.execute(
        "UPDATE photos SET waits_until = min(waits_until + ?, ?) WHERE waits_until > 0", (step, now + DAY_S)
    )
