"""Every fault in random order, in its long form, for as long as asked: `make faults MINUTES=n`.

The seed is printed; it decides the order and what each fault draws. One line for each run, and one of counts at the
end. Brokers' and processes' own timing is not drawn from it.
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
from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest

from tests.services.kafka_faults.all_faults import FAULTS, FaultForm
from tests.services.kafka_faults.ground import Brokers, brokers_behind_a_proxy
from tests.services.kafka_faults.history import Counts


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.services.kafka_faults", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--only", choices=sorted(FAULTS), action="append", help="may be given several times")
    parser.add_argument("--short", action="store_true", help="each in its short form")
    parser.add_argument("--brokers", type=int, choices=(1, 3), help="only faults that take so many")
    given = parser.parse_args()
    logging.getLogger("shardlog").setLevel(logging.CRITICAL)
    chosen = {
        name: FAULTS[name]
        for name in given.only or sorted(FAULTS)
        if given.brokers is None or FAULTS[name].brokers == given.brokers
    }
    print(f"seed {given.seed}; {', '.join(chosen)}", flush=True)
    return run(chosen, Random(given.seed), given.minutes * 60, is_short=given.short)


def run(chosen: dict[str, FaultForm], random: Random, seconds: float, *, is_short: bool) -> int:
    """Whole rounds of all of them, each round in another order, until the time is over; 1 where one was broken."""
    give_up, totals, runs, broken = time.monotonic() + seconds, Counter[str](), Counter[str](), Counter[str]()
    with ExitStack() as closing, tempfile.TemporaryDirectory(prefix="shardlog-faults-") as directory:
        clusters: dict[int, Brokers] = {}
        while time.monotonic() < give_up:
            for name in random.sample(list(chosen), len(chosen)):
                if time.monotonic() > give_up:
                    break
                form, own = chosen[name], Random(random.random())
                if form.brokers not in clusters:
                    clusters[form.brokers] = closing.enter_context(brokers_behind_a_proxy(form.brokers))
                began = time.monotonic()
                try:
                    counts = form.run(
                        clusters[form.brokers], Path(directory), own, form.short if is_short else form.long
                    )
                except pytest.skip.Exception as impossible:
                    print(f"{name}: left out, {impossible}", flush=True)
                    del chosen[name]
                except Exception:  # noqa: BLE001  # one that is broken must not hide the others
                    broken[name] += 1
                    print(f"{name}: BROKEN\n{traceback.format_exc()}", flush=True)
                else:
                    runs[name] += 1
                    totals.update(counts._asdict())
                    print(f"{name}: {time.monotonic() - began:.0f} s, {_text(counts)}", flush=True)
    whole = Counts(**{field: totals[field] for field in Counts._fields})
    print(f"{runs.total()} runs of {len(runs)} faults, {broken.total()} broken: {_text(whole)}")
    return 1 if broken else 0


def _text(counts: Counts) -> str:
    return ", ".join(f"{field} {count}" for field, count in counts._asdict().items())


if __name__ == "__main__":
    sys.exit(main())
