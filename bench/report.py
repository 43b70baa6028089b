"""How benchmarks print what they measured: a line a figure for people, and one JSON object last for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping


def report(figures: Mapping[str, object], as_json: bool = False) -> None:
    """Print the figures. Their names end in units, as `events_per_s`; with as_json the last line is one object."""
    for name, value in figures.items():
        shown = f"{value:,.2f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
        print(f"{name:<40} {shown:>16}", file=sys.stderr if as_json else sys.stdout)
    if as_json:
        print(json.dumps(dict(figures)))
