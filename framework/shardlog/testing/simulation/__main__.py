"""`python -m shardlog.testing.simulation`: run seeds, or show what one of them does."""

from __future__ import annotations

import argparse
import sys

from shardlog.testing.simulation.runner import simulate, traced


def main() -> int:
    """Returns 1 where a seed failed."""
    parser = argparse.ArgumentParser(prog="python -m shardlog.testing.simulation", description=__doc__)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, default=1000, help="how many")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--trace", action="store_true", help="print what happens in the first seed, line by line")
    options = parser.parse_args()
    if options.trace:
        sys.stdout.writelines(f"{line}\n" for line in traced(options.first))
        return 0
    counts = simulate(options.first, options.seeds, options.jobs, lambda line: print(line, flush=True))
    return 1 if counts.findings else 0


if __name__ == "__main__":
    sys.exit(main())
