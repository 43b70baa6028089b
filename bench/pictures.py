"""The pictures of the performance page, as SVG: each once for light pages and once for dark ones.

Colours are told apart by people who see few of them, and each series has a mark of its own besides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from bench.results import Results


class Palette(NamedTuple):
    """The colours of one kind of page. series: in the order of use."""

    name: str
    paper: str
    ink: str
    faint: str
    series: tuple[str, str, str]


LIGHT = Palette("light", "#ffffff", "#1f2328", "#d0d7de", ("#0969da", "#bc4c00", "#8250df"))
DARK = Palette("dark", "#0d1117", "#e6edf3", "#30363d", ("#58a6ff", "#f0883e", "#d2a8ff"))
MARKS = ("o", "s", "^")
PERCENTILES = (("ms_p50", "p50"), ("ms_p99", "p99"), ("ms_p999", "p99.9"))
JOURNALS = (
    ("execute-sqlite", "SQLite, durable"),
    ("execute-memory", "memory"),
    ("execute-kafka", "Kafka, over the commands topic"),
)


class Picture(NamedTuple):
    """One picture. draw: returns None where nothing of it was measured. alternative: for those who do not see it."""

    name: str
    alternative: str
    draw: Callable[[Results, Palette], Figure | None]


def write_pictures(results: Results, folder: Path) -> dict[str, Picture]:
    """Write them all into the folder; returns by name those that could be drawn."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {}
    for picture in PICTURES:
        for palette in (LIGHT, DARK):
            with style.context(_settings(palette)):
                figure = picture.draw(results, palette)
                if figure is not None:
                    drawn[picture.name] = picture
                    file = folder / f"{picture.name}-{palette.name}.svg"
                    figure.savefig(file, bbox_inches="tight", metadata={"Date": None})
                    file.write_text("\n".join(line.rstrip() for line in file.read_text().splitlines()) + "\n")
    return drawn


def _settings(palette: Palette) -> dict[str, Any]:
    ink = dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), palette.ink)
    paper = dict.fromkeys(("figure.facecolor", "savefig.facecolor", "axes.facecolor"), palette.paper)
    faint = dict.fromkeys(("axes.edgecolor", "grid.color", "legend.edgecolor"), palette.faint)
    return (
        ink
        | paper
        | faint
        | {
            "svg.fonttype": "none",
            "svg.hashsalt": "shardlog",
            "font.family": "sans-serif",
            "font.size": 10,
            "axes.grid": True,
            "axes.axisbelow": True,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "legend.facecolor": palette.paper,
            "legend.labelcolor": palette.ink,
            "lines.linewidth": 1.8,
            "lines.markersize": 4.5,
        }
    )


# -- each picture ------------------------------------------------------------------------------------------------------
def _latency(results: Results, palette: Palette) -> Figure | None:
    curves = [
        (title, results.rows(name, "curve"), results.number(name, "saturation_per_s")) for name, title in JOURNALS
    ]
    curves = [curve for curve in curves if curve[1]]
    if not curves:
        return None
    figure = Figure(figsize=(9, 3.6))
    panels = figure.subplots(1, len(curves), sharey=True, squeeze=False)[0]
    for axes, (title, points, saturation) in zip(panels, curves, strict=True):
        offered = [point["offered_per_s"] for point in points]
        for (field, label), colour, mark in zip(PERCENTILES, palette.series, MARKS, strict=True):
            axes.plot(offered, [point[field] for point in points], color=colour, marker=mark, label=label)
        if saturation is not None:
            axes.axvline(saturation, color=palette.ink, linewidth=1, linestyle=":")
        axes.set(title=title, xscale="log", yscale="log", xlabel="commands offered a second")
        _plain_numbers(axes, "x")
        _plain_numbers(axes, "y")
    panels[0].set_ylabel("latency from the intended time, ms")
    panels[0].legend(loc="upper left")
    return figure


def _throughput(results: Results, palette: Palette) -> Figure | None:
    found = [
        ("eventsourcing 9.5, SQLite", results.number("execute-sqlite", "peer_commands_per_s"), 1),
        ("shardlog, SQLite, one at a time", results.number("execute-sqlite", "frames_of_1_commands_per_s"), 0),
        ("shardlog, SQLite, frames of 200", results.number("execute-sqlite", "commands_per_s"), 0),
        ("shardlog, memory, frames of 200", results.number("execute-memory", "commands_per_s"), 0),
        ("limit: the messages, bare msgspec", results.number("execute-sqlite", "bare_msgspec_commands_per_s"), 2),
        ("limit: the bytes, bare SQLite", results.number("execute-sqlite", "bare_sqlite_commands_per_s"), 2),
    ]
    return _bars([(label, value, palette.series[at]) for label, value, at in found], "commands a second", palette, True)


def _kafka(results: Results, palette: Palette) -> Figure | None:
    found = [
        ("faust-streaming, exactly once", results.number("execute-kafka", "faust_commands_per_s"), 1),
        ("quixstreams, exactly once", results.number("execute-kafka", "quixstreams_commands_per_s"), 1),
        ("no engine, a transaction a batch", results.number("execute-kafka", "transactions_commands_per_s"), 1),
        ("shardlog, 1M streams", results.number("execute-kafka-1m", "commands_per_s"), 0),
        ("shardlog, 100,000 streams", results.number("execute-kafka", "commands_per_s"), 0),
        ("limit: no engine", results.number("execute-kafka", "limit_commands_per_s"), 2),
    ]
    return _bars([(label, value, palette.series[at]) for label, value, at in found], "commands a second", palette, True)


def _takeover(results: Results, palette: Palette) -> Figure | None:
    measured = results.benchmarks.get("takeover")
    if measured is None:
        return None
    names = [name for name in measured.figures if name.endswith("_s") and not name.startswith("takeover")]
    bars = [
        (name.removesuffix("_s").replace("_", " "), measured.number(name), palette.series[name == "replay_s"])
        for name in names
    ]
    return _bars(bars, "seconds of a start after a kill", palette, False)


def _steps(results: Results, palette: Palette) -> Figure | None:
    measured = results.benchmarks.get("steps")
    if measured is None:
        return None
    outside = {"append_us", "window_key_us"}
    names = [name for name in measured.figures if name.endswith("_us") and name not in outside | {"command_us"}]
    bars = [
        (name.removesuffix("_us").replace("_", " "), measured.number(name), palette.series[name == "rest_us"])
        for name in names
    ]
    return _bars(bars, "microseconds a command", palette, False)


def _transfers(results: Results, palette: Palette) -> Figure | None:
    rows = results.rows("transfers", "clients")
    if not rows:
        return None
    names = [f"{row['clients']} clients" for row in rows] + ["input"]
    ours = [row["transfers_per_s"] for row in rows] + [results.number("transfers", "transfers_per_s")]
    theirs = [row["pgbench_per_s"] for row in rows]
    figure = Figure(figsize=(9, 3.4))
    axes = figure.subplots()
    places = range(len(names))
    ours_at = [*(at - 0.2 for at in range(len(rows))), len(rows)]
    drawn = [axes.bar(ours_at, ours, 0.38, color=palette.series[0], label="shardlog, SQLite")]
    if None not in theirs:
        theirs_at = [at + 0.2 for at in range(len(rows))]
        drawn.append(axes.bar(theirs_at, theirs, 0.38, color=palette.series[1], label="pgbench, PostgreSQL 15"))
    for bars in drawn:
        axes.bar_label(bars, fmt="{:,.0f}", padding=2, fontsize=9)
    axes.set(ylabel="transfers a second", xticks=list(places), xticklabels=names)
    axes.grid(visible=False, axis="x")
    axes.margins(y=0.3)  # room for the legend
    _plain_numbers(axes, "y")
    axes.legend(loc="upper left")
    return figure


PICTURES = (
    Picture("latency", "Latency over offered load: p50, p99 and p99.9, into SQLite, memory and Kafka", _latency),
    Picture("throughput", "Commands a second: the peer, shardlog, and the limits", _throughput),
    Picture("steps", "Microseconds of a command by step", _steps),
    Picture("kafka", "Commands a second on Kafka: peers, shardlog, and the limit", _kafka),
    Picture("takeover", "Seconds of a start after a kill, by what they are spent on", _takeover),
    Picture("transfers", "Transfers a second: shardlog and pgbench by number of clients", _transfers),
)


# -- shapes ------------------------------------------------------------------------------------------------------------
def _bars(
    bars: Sequence[tuple[str, float | None, str]], label: str, palette: Palette, is_logarithmic: bool
) -> Figure | None:
    """Horizontal bars from the top down, each with its value; None where no bar has one."""
    known = [(name, value, colour) for name, value, colour in bars if value is not None]
    if not known:
        return None
    figure = Figure(figsize=(9, 0.6 + 0.3 * len(known)))
    axes = figure.subplots()
    names, values, colours = zip(*known, strict=True)
    drawn = axes.barh(names, values, color=colours, height=0.7)
    axes.bar_label(drawn, fmt="{:,.0f}" if is_logarithmic else "{:.2f}", padding=3, fontsize=9)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set(xlabel=label, xscale="log" if is_logarithmic else "linear")
    axes.margins(x=0.12)
    if is_logarithmic:
        axes.set_xlim(left=min(values) / 3)
    _plain_numbers(axes, "x")
    return figure


def _plain_numbers(axes: Axes, which: str) -> None:
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}"))
