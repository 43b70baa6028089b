"""`docs/performance.md` from what was measured: the template's words, with tables and pictures put in.

The words are in `bench/performance.template.md`. A block whose benchmark was not run says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Any

from bench import page_projections, targets
from bench.pictures import Picture, write_pictures
from bench.report import shown
from bench.results import Results

DOCS = Path(__file__).parents[1] / "docs"
TEMPLATE = Path(__file__).parent / "performance.template.md"
CURVE = ("offered_per_s", "answered_per_s", "unavailable", "ms_p50", "ms_p99", "ms_p999")
CURVE_HEADS = ("offered a second", "answered a second", "sent back", "p50, ms", "p99, ms", "p99.9, ms")
CLIENTS = ("clients", "transfers_per_s", "ms_p50", "ms_p99", "pgbench_per_s", "pgbench_ms_mean", "ratio")
CLIENTS_HEADS = ("clients", "shardlog, /s", "p50, ms", "p99, ms", "pgbench, /s", "mean, ms", "ratio")
STEPS = {
    "decode_record": "decode the record: 15 fields",
    "find_stream": "find the handler and the stream",
    "decode_payload": "decode the payload, validated",
    "decide": "decide; a tenth rejects",
    "encode_event": "encode the event",
    "decode_event": "decode it again, for evolve to see what replay will see",
    "evolve": "evolve",
    "store": "store the new state",
    "check": "payload check (CRC-32)",
    "entry": "the entry: tuple, bytes, place in the frame",
    "frame": "put the frame together",
    "chain": "hash chain (blake2b)",
    "rest": "rest: undo, limits, answers, interpreter, memory that left the cache",
    "command": "**the whole command in the build thread**",
    "window_key": "beside it, for requests: key in the window of ids",
    "append": "beside it, in the journal's thread: append to SQLite, durable",
}
KAFKA = (
    ("shardlog, 100,000 streams", "execute-kafka", ""),
    ("limit: no engine, 100,000 streams", "execute-kafka", "limit_"),
    ("shardlog, 1M streams", "execute-kafka-1m", ""),
    ("limit: no engine, 1M streams", "execute-kafka-1m", "limit_"),
    ("no engine, a Kafka transaction a batch", "execute-kafka", "transactions_"),
    ("quixstreams, exactly once", "execute-kafka", "quixstreams_"),
    ("faust-streaming, exactly once", "execute-kafka", "faust_"),
)
TAKEOVER = {
    "interpreter_s": "start of the interpreter",
    "imports_s": "imports",
    "settings_and_application_s": "settings and application",
    "control_and_topics_s": "connecting, control records, checks of topics",
    "inputs_s": "inputs: their topics and ids",
    "replay_s": "replay",
    "claim_s": "claim",
    "announcement_s": "announcement of the owner",
    "takeover_s": "**until it serves**, median of other runs",
}
NOT_MEASURED = "*Not measured yet: `{}`.*"


def write_page(results: Results, docs: Path) -> None:
    """Write performance.md and the pictures into this folder."""
    drawn = write_pictures(results, docs / "pictures")
    (docs / "performance.md").write_text(page(results, drawn))


def page(results: Results, drawn: dict[str, Picture]) -> str:
    """The page's text. drawn: the pictures that there are. Raises KeyError for a block that the template wants and
    nobody makes."""
    blocks = {
        "machine": ", ".join(f"{what} {value}" for what, value in results.machine.items()),
        "reached": targets.summary(results),
        "targets": targets.table(results),
        "curve_sqlite": _rows(results, "execute-sqlite", "curve", CURVE, CURVE_HEADS),
        "curve_memory": _rows(results, "execute-memory", "curve", CURVE, CURVE_HEADS),
        "curve_kafka": _rows(results, "execute-kafka", "curve", CURVE, CURVE_HEADS),
        "kafka": _kafka(results),
        "kafka_limit_ratio": _one(results, "execute-kafka", "limit_ratio"),
        "kafka_latency_ratio_of_1": _one(results, "execute-kafka", "peer_latency_ratio_of_1"),
        "kafka_latency_ratio": _one(results, "execute-kafka", "peer_latency_ratio"),
        "takeover": _takeover(results),
        "limits": _limits(results),
        "clients": _rows(results, "transfers", "clients", CLIENTS, CLIENTS_HEADS),
        "steps": _steps(results),
        "projections": page_projections.kinds(results),
        "projection_peers": page_projections.peers(results),
        "projection_lags": page_projections.lags(results),
        "build_slows_percent": _one(results, "project-postgresql", "build_slows_percent"),
        "unheard_cost_ratio": _one(results, "filtering", "unheard_cost_ratio"),
        "unheard_cpu_us_an_event": _one(results, "filtering", "unheard_cpu_us_an_event"),
        "unnest_rows_per_s": _one(results, "writes", "unnest_rows_per_s"),
        "copy_rows_per_s": _one(results, "writes", "copy_rows_per_s"),
        "figures": _figures(results),
    }
    for name in ("latency", "throughput", "steps", "transfers", "kafka", "takeover"):
        blocks[f"picture_{name}"] = _picture(drawn[name]) if name in drawn else ""
    return Template(TEMPLATE.read_text()).substitute(blocks)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of Markdown: the first column to the left, the others to the right."""
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _picture(picture: Picture) -> str:
    file = f"pictures/{picture.name}"
    return (
        f'<picture><source media="(prefers-color-scheme: dark)" srcset="{file}-dark.svg">'
        f'<img src="{file}-light.svg" alt="{picture.alternative}"></picture>'
    )


def _rows(results: Results, name: str, figure: str, fields: Sequence[str], heads: Sequence[str]) -> str:
    rows = results.rows(name, figure)
    return (
        table(heads, [[_cell(row[field]) for field in fields] for row in rows]) if rows else NOT_MEASURED.format(name)
    )


def _cell(value: Any) -> str:
    return "" if value is None else shown(value)


def _limits(results: Results) -> str:
    rows = []
    for name, journal in (("execute-sqlite", "SQLite"), ("execute-memory", "memory")):
        reached = results.number(name, "commands_per_s")
        for figure, limit in (("bare_sqlite", "bare SQLite, the same bytes"), ("bare_msgspec", "bare msgspec")):
            bare = results.number(name, f"{figure}_commands_per_s")
            if reached is not None and bare is not None and not (journal == "memory" and figure == "bare_sqlite"):
                rows.append([f"{journal}, against {limit}", shown(reached), shown(bare), f"{reached / bare:.0%}"])
    if not rows:
        return NOT_MEASURED.format("execute-sqlite")
    return table(("frames of 200", "shardlog, /s", "limit, /s", "reached"), rows)


def _kafka(results: Results) -> str:
    """Beside shardlog, what ran over the same commands in the same run: commands a second, and a batch's latency."""
    rows = []
    for title, name, figure in KAFKA:
        per_s = results.number(name, f"{figure}commands_per_s")
        if per_s is not None:
            latency = "frame_ack_ms" if not figure else f"{figure}ack_ms"
            times = [results.number(name, f"{latency}_{part}") for part in ("p50", "p99")]
            rows.append([title, shown(per_s), *(_cell(value) for value in times)])
    if not rows:
        return NOT_MEASURED.format("execute-kafka")
    return table(("batches of 200", "commands, /s", "p50, ms", "p99, ms"), rows)


def _one(results: Results, name: str, figure: str) -> str:
    value = results.number(name, figure)
    return "not measured" if value is None else shown(value)


def _takeover(results: Results) -> str:
    rows = [
        [text, f"{value:.2f}"]
        for figure, text in TAKEOVER.items()
        if (value := results.number("takeover", figure)) is not None
    ]
    return table(("a start after a kill", "seconds"), rows) if rows else NOT_MEASURED.format("takeover")


def _steps(results: Results) -> str:
    rows = [
        [text, f"{value:.2f}"]
        for step, text in STEPS.items()
        if (value := results.number("steps", f"{step}_us")) is not None
    ]
    return table(("step", "µs a command"), rows) if rows else NOT_MEASURED.format("steps")


def _figures(results: Results) -> str:
    """Every benchmark with its command and all its plain figures."""
    parts = []
    for measured in results.benchmarks.values():
        plain = [
            [f"`{name}`", _cell(value)]
            for name, value in measured.figures.items()
            if not isinstance(value, (str, list))
        ]
        said = f"`{measured.command}`, {measured.measured_on}"
        parts.append(f"{said}\n\n{table(('figure', 'value'), plain)}")
    return "\n\n".join(parts) if parts else NOT_MEASURED.format("anything")
