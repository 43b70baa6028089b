"""`python -m bench`: every benchmark, each in a process of its own, as one table."""

from __future__ import annotations

import json
import subprocess
import sys

from rich.console import Console
from rich.table import Table

BENCHMARKS = (
    ("bench.execute", "--journal", "memory"),
    ("bench.execute", "--journal", "sqlite"),
    ("bench.replay",),
    ("bench.project", "--database", "sqlite"),
    ("bench.http",),
)


def main() -> int:
    """Run all and print. Returns 1 where one of them failed."""
    console, failed = Console(), False
    table = Table("benchmark", "figure", "value")
    for module, *options in BENCHMARKS:
        name = " ".join([module, *options])
        console.print(f"running {name}")
        done = subprocess.run(
            [sys.executable, "-m", module, *options, "--json"], stdout=subprocess.PIPE, text=True, check=False
        )
        if done.returncode:
            failed = True
            table.add_row(name, "failed with exit code", str(done.returncode))
            continue
        for figure, value in json.loads(done.stdout.splitlines()[-1]).items():
            table.add_row(name, figure, f"{value:,.2f}" if isinstance(value, float) else str(value))
        table.add_section()
    console.print(table)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
