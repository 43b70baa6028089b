"""How benchmarks print what they measured: a line a figure for people, and one JSON object last for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence


def report(figures: Mapping[str, object], as_json: bool = False) -> None:
    """Print the figures. Their names end in units, as `events_per_s`; with as_json the last line is one object.

    A figure may be a list of such mappings: a curve, or a row for each of several settings.
    """
    stream = sys.stderr if as_json else sys.stdout
    for name, value in figures.items():
        if isinstance(value, Sequence) and not isinstance(value, str):
            print(f"{name}:", file=stream)
            for row in value:
                print("  " + ", ".join(f"{key} {shown(part)}" for key, part in row.items()), file=stream)
        else:
            print(f"{name:<40} {shown(value):>16}", file=stream)
    if as_json:
        print(json.dumps(dict(figures)))


def shown(value: object) -> str:
    """A figure for people: thousands apart, three significant digits or more; `none` where there is none."""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:,.1f}" if abs(value) >= 100 else f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) else "none" if value is None else str(value)
