"""The tables of `docs/performance.md` about projections: what becomes of events in SQL databases, and beside what."""

from __future__ import annotations

from bench.report import shown
from bench.results import Results

DATABASES = (("SQLite", "project"), ("PostgreSQL", "project-postgresql"))
KINDS = (
    ("narrow counters: two columns of 192 rows", "events_per_s"),
    ("one row an event, five columns", "one_row_an_event_events_per_s"),
    ("wide upserts: thirteen columns", "wide_upserts_events_per_s"),
    ("counters and one row an event, by one process", "both_together_events_per_s"),
    ("counters, built again from the beginning", "rebuild_events_per_s"),
    ("limit: no engine, counters in SQLite", "bare_loop_events_per_s"),
)
PEERS = (
    ("shardlog", "events_per_s"),
    ("faust-streaming, 1,000 events a transaction", "faust_events_per_s"),
    ("faust-streaming, an event a transaction", "faust_single_events_per_s"),
    ("eventsourcing, projection runner", "eventsourcing_events_per_s"),
)
LAGS = (("alone", ""), ("beside a build of the same counters", "beside_a_build_"))
NOT_MEASURED = "*Not measured yet: `{}`.*"


def kinds(results: Results) -> str:
    """Events a second into both databases, by what is made of them."""
    rows = []
    for title, figure in KINDS:
        values = [results.number(name, figure) for _, name in DATABASES]
        if any(value is not None for value in values):
            rows.append([title, *(_cell(value) for value in values)])
    return _table(("events a second", *(title for title, _ in DATABASES)), rows, "project")


def peers(results: Results) -> str:
    """The same counters in the same PostgreSQL server, kept by others."""
    reached = results.number("project-postgresql", "events_per_s")
    rows = []
    for title, figure in PEERS:
        value = results.number("project-postgresql", figure)
        if value is not None and reached is not None:
            rows.append([title, shown(value), "" if figure == "events_per_s" else f"{shown(reached / value)} times"])
    return _table(("counters in PostgreSQL", "events, /s", "shardlog has"), rows, "project-postgresql")


def lags(results: Results) -> str:
    """How soon an event is in committed rows."""
    rows = []
    for title, prefix in LAGS:
        values = [results.number("project-postgresql", f"{prefix}lag_s_{part}") for part in ("p50", "p99")]
        if None not in values:
            rows.append([title, *(_cell(value) for value in values)])
    return _table(("50,000 events a second, into PostgreSQL", "p50, s", "p99, s"), rows, "project-postgresql")


def _cell(value: float | None) -> str:
    return "" if value is None else shown(value)


def _table(heads: tuple[str, ...], rows: list[list[str]], name: str) -> str:
    if not rows:
        return NOT_MEASURED.format(name)
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
