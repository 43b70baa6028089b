"""`python -m bench`: every benchmark, each in a process of its own; then the performance page with its pictures.

One that ends without figures, as those on Kafka where no broker can be had, says why; its last figures stay.

python -m bench                          all of them, then bench/results.json and docs/performance.md
python -m bench --only execute-sqlite    some of them; of the others the last figures stay
python -m bench --page-only              the page and the pictures again, from bench/results.json
python -m bench --small                  whether they work at all: nothing is written
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import results
from bench.page import DOCS, write_page
from bench.report import shown
from bench.suite import Benchmark, present


def main() -> int:
    """Run, print and write. Returns 1 where one of them failed: its last figures stay."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=[b.name for b in present()], help="these alone")
    parser.add_argument("--small", action="store_true", help="run the small forms and write nothing")
    parser.add_argument("--page-only", action="store_true", help="measure nothing")
    parser.add_argument("--docs", type=Path, default=DOCS, help="where performance.md and pictures/ go")
    given = parser.parse_args()
    if given.page_only:
        write_page(results.load(), given.docs)
        return 0
    chosen = [b for b in present() if given.only is None or b.name in given.only]
    found = {benchmark: _run(benchmark, given.small) for benchmark in chosen}
    Console().print(_table(found))
    if not given.small:
        _keep(found, given.docs)
    return int(None in found.values())


def _run(benchmark: Benchmark, small: bool) -> dict[str, Any] | None:
    """Its figures; None where it failed, which it says itself."""
    command = [
        sys.executable,
        "-m",
        benchmark.module,
        *benchmark.options,
        "--json",
        *(benchmark.small if small else ()),
    ]
    print(f"running {benchmark.command}", file=sys.stderr, flush=True)
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        print(f"{benchmark.command} ended with {done.returncode}", file=sys.stderr)
        return None
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _table(found: dict[Benchmark, dict[str, Any] | None]) -> Table:
    table = Table("benchmark", "figure", "value")
    for benchmark, figures in found.items():
        said = {"failed": "see above"} if figures is None else {"not measured": "see above"}
        for figure, value in (figures or said).items():
            if isinstance(value, list):
                for row in value:
                    first, *others = row.items()
                    for key, part in others:
                        table.add_row(benchmark.name, f"{first[0]} {shown(first[1])}: {key}", shown(part))
            else:
                table.add_row(benchmark.name, figure, shown(value))
        table.add_section()
    return table


def _keep(found: dict[Benchmark, dict[str, Any] | None], docs: Path) -> None:
    today = datetime.now(UTC).date().isoformat()
    measured = {
        benchmark.name: results.Measured(benchmark.command, today, figures)
        for benchmark, figures in found.items()
        if figures
    }
    if measured:
        kept = results.Results(results.machine(), results.load().benchmarks | measured)
        results.keep(kept)
        write_page(kept, docs)


if __name__ == "__main__":
    sys.exit(main())
