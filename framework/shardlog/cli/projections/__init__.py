"""`shardlog projections`: what an operator sees of projections, and does to them, beside whoever keeps them."""

from __future__ import annotations

from collections.abc import Mapping

from shardlog.cli.lazy import LazyCommands

COMMANDS: Mapping[str, str] = {
    "list": "Show every build: version, state, lag, dead letters, what stopped it.",
    "dead-letters": "Show the events that a projection could not handle, and those parked behind them.",
    "retry": "Handle a projection's dead letters again, of one stream or of all.",
    "skip": "Pass over one event for good.",
    "pause": "Let nobody write a projection's rows for now.",
    "resume": "Let a paused or stopped projection go on.",
    "reset": "Move a projection's checkpoint ahead, over records that it cannot take.",
    "switch": "Let analysts see another build.",
    "drop": "Drop a build that does not serve.",
}

command = LazyCommands(
    "projections",
    package=__name__,
    about=COMMANDS,
    help="Show and operate projections: builds, lag, dead letters. It works beside whoever keeps the tables.",
)
