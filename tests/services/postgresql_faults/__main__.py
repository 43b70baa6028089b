"""Random runs, one seed after another, for as long as asked: `make projection-faults MINUTES=n`.

The seed of each run is printed before it; it decides the journal and what is drawn, not when processes are scheduled. A
run under way is finished. `--seed N` begins with that seed, `--events` says how long the journals are.
"""

from __future__ import annotations

import argparse
import logging
import secrets
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from random import Random

from tests.services.postgresql_faults.storm import CHANCE, run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.services.postgresql_faults", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--chance", type=float, default=CHANCE, help="of a fault at each step of a worker")
    given = parser.parse_args()
    for name in ("shardlog", "psycopg"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    give_up, faults, runs, broken = time.monotonic() + given.minutes * 60, Counter[str](), 0, 0
    with tempfile.TemporaryDirectory(prefix="shardlog-faults-") as directory:
        while time.monotonic() < give_up:
            seed, began = given.seed + runs, time.monotonic()
            print(f"seed {seed}: ", end="", flush=True)
            runs += 1
            try:
                outcome = run(Path(directory) / str(seed), given.events, Random(seed), given.chance)
            except Exception:  # noqa: BLE001  # one that is broken must not hide the others
                broken += 1
                print(f"BROKEN\n{traceback.format_exc()}", flush=True)
            else:
                faults.update(outcome.faults)
                print(f"{time.monotonic() - began:.0f} s, {outcome}", flush=True)
    print(f"{runs} runs of {given.events} events, {broken} broken; {faults.total()} faults: {dict(faults)}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
