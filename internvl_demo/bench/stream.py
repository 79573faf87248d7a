"""Streaming to many readers: the page beside a plain `gr.ChatInterface`, in processes of their own.

A scripted server gives every reader the same tokens at the same rate. In each round the page is read by all
readers at once, then the plain chat is; a ratio is that of one round, and the median of the rounds is reported.
Before the rounds each is read by one reader alone, some times over: what the page adds to the server's own time
to first text.

{"page": {"cpu_ms_per_1000_tokens": ..., "first_text_p50_ms": ..., ...}, "plain": ..., "page_over_plain": ...}
"""

import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from internvl_demo.bench.processes import raise_file_limit
from internvl_demo.bench.sites import Site, our_page, plain_chat, scripted_server

KINDS = ("page", "plain")
ALONE_TOKENS, ALONE_TIMES = 20, 9
PATIENCE_S, PATIENCE_FACTOR = 60, 10
"""A reader is lost when its answer takes longer than so many seconds and so many times as long as it should."""

FIGURES = {
    "cpu_ms_per_1000_tokens": "CPU ms per 1,000 tokens",
    "first_text_p50_ms": "first text p50, ms",
    "first_text_p95_ms": "first text p95, ms",
    "worst_gap_ms": "worst gap, ms",
    "updates_per_reader": "updates per reader",
    "readers_lost": "readers lost",
    "wall_s": "wall, s",
    "load_cpu_s": "CPU s of the readers' own process",
}


def measure_stream(
    readers: int, tokens_per_s: float, seconds: float, rounds: int, kinds: tuple[str, ...] = KINDS
) -> dict[str, Any]:
    """Return medians of the rounds for each kind, and the page's figures over the plain chat's. Raise SetupError."""
    raise_file_limit()
    tokens = max(2, round(tokens_per_s * seconds))
    patience_s = round(PATIENCE_S + PATIENCE_FACTOR * seconds)
    with tempfile.TemporaryDirectory(prefix="bench-stream-") as work, ExitStack() as stack:
        folder = Path(work)
        server = stack.enter_context(scripted_server(folder, tokens_per_s, tokens))
        sites: dict[str, Site] = {}
        if "page" in kinds:
            sites["page"] = stack.enter_context(our_page(folder, server, readers, tokens))
        if "plain" in kinds:
            sites["plain"] = stack.enter_context(plain_chat(folder, server, readers))
        alone = {site.kind: _alone_ms(site) for site in (server, *sites.values())}
        rows: dict[str, list[dict[str, Any]]] = {kind: [] for kind in kinds}
        for _ in range(rounds):
            for kind, site in sites.items():
                rows[kind] += site.read(readers, tokens, patience_s=patience_s)
    result: dict[str, Any] = {
        "readers": readers,
        "tokens_per_s": tokens_per_s,
        "seconds": seconds,
        "tokens_per_reader": tokens,
        "first_text_alone_ms": alone,
        **{kind: summary(rows[kind]) for kind in kinds},
    }
    if set(kinds) == set(KINDS):
        result["page_over_plain"] = ratios(rows["page"], rows["plain"])
    return result


def _alone_ms(site: Site) -> float | None:
    """Return the median time to first text of one reader; the first reading warms the site up."""
    firsts = [row["first_text_p50_ms"] for row in site.read(1, ALONE_TOKENS, ALONE_TIMES + 1)[1:]]
    return _median([first for first in firsts if first is not None])


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the medians of the rounds, lost readers by reason, and the rounds themselves."""
    medians = {
        name: _median([row[name] for row in rows if row[name] is not None])
        for name in FIGURES
        if name != "readers_lost"
    }
    losses = sum((Counter(row["losses"]) for row in rows), Counter())
    return medians | {"readers_lost": losses.total(), "losses": dict(losses), "rounds": rows}


def ratios(page: list[dict[str, Any]], plain: list[dict[str, Any]]) -> dict[str, float | None]:
    """Return for each figure the median of the page's over the plain chat's, round by round."""
    found = {}
    for name in FIGURES:
        pairs = [(one[name], other[name]) for one, other in zip(page, plain, strict=True)]
        found[name] = _median([one / other for one, other in pairs if one is not None and other], 3)
    return {name: value for name, value in found.items() if name not in ("readers_lost", "load_cpu_s")}


def _median(values: list[float], digits: int = 1) -> float | None:
    return round(median(values), digits) if values else None


def table(result: dict[str, Any]) -> str:
    """Return a result as text for people."""
    kinds = [kind for kind in KINDS if kind in result]
    over = result.get("page_over_plain", {})
    lines = [
        f"{result['readers']} readers, {result['tokens_per_s']:g} tokens a second each for {result['seconds']:g} s; "
        f"medians of {len(result[kinds[0]]['rounds'])} rounds",
        _line("", *kinds, *(["page/plain"] if over else [])),
    ]
    for name, title in FIGURES.items():
        ratio = [over.get(name, "")] if over else []
        lines.append(_line(title, *(result[kind][name] for kind in kinds), *ratio))
    alone = result["first_text_alone_ms"]
    lines.append(_line("one reader: first text, ms", *(alone[kind] for kind in kinds)))
    if alone["server"] is not None:
        added = [alone[kind] - alone["server"] if alone[kind] is not None else None for kind in kinds]
        lines.append(_line(f"  over the server's own {alone['server']:g}", *added))
    for kind in kinds:
        lines += [f"{kind}: {count} readers lost: {why}" for why, count in result[kind]["losses"].items()]
    return "\n".join(lines)


def _line(title: str, *values: object) -> str:
    shown = ["-" if one is None else f"{one:,.4g}" if isinstance(one, float) else str(one) for one in values]
    return f"{title:<36}" + "".join(f"{one:>12}" for one in shown).rstrip()
