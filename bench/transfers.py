"""Transfers a second, durable, beside pgbench on PostgreSQL 15: account, teller, branch and history in one transaction.

    python -m bench.transfers --json

shardlog: one shard on SQLite, once from an input with offsets in frames of 200 (`transfers_per_s`), and once from as
many callers as pgbench has clients, who each wait for an answer before they send the next (`clients`). pgbench:
prepared statements over a Unix socket, its TPC-B script with teller and account drawn within the branch
(`tpcb.pgbench.sql`); `pgbench_per_s` is its best over the numbers of clients, and `ratio` is by that one.

Both are on the disk before anybody hears of it (fsync, synchronous_commit; SQLite with synchronous=FULL), on the same
file system, one after the other. The callers of shardlog are in its process: no socket stands between, for that see
`bench.http`. At the end the sums over accounts, tellers, branches and history must agree, here by a fresh replay of the
journal, there by SQL.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from pathlib import Path
from time import perf_counter, thread_time
from typing import NamedTuple

from bench import tpcb
from bench.clients import Clients
from bench.postgresql import DURABLE
from bench.report import report
from bench.shard import JOURNAL_ID, DrivenShard, ListInput, open_journal, percentile
from shardlog.executor.core import ExecutorCore
from shardlog.executor.limits import Limits
from shardlog.executor.replay import Replay
from shardlog.executor.requests import decode_record
from shardlog.executor.state import Shard
from shardlog.journal.reader import FrameTaken, Reader
from shardlog.ports.journal import Journal
from shardlog.testing.services.errors import ServiceMissing
from shardlog.testing.services.postgresql import PostgresqlServer
from shardlog.testing.services.postgresql.programs import needed_programs

SCRIPT = Path(__file__).parent / "tpcb.pgbench.sql"
PGBENCH_THREADS = 2


class Peer(NamedTuple):
    """What pgbench reached. latency_ms: the mean."""

    transfers_per_s: float
    latency_ms: float


def main() -> int:
    """Measure and print. Returns 1 where PostgreSQL is missing and CI=true."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--transfers", type=int, default=200_000, help="from an input, after a quarter to warm up")
    parser.add_argument("--client-transfers", type=int, default=60_000, help="for each number of clients")
    parser.add_argument("--clients", type=int, nargs="+", default=[8, 16, 32, 64])
    parser.add_argument("--branches", type=int, default=64, help="at least as many as clients, else pgbench waits")
    parser.add_argument(
        "--pgbench-seconds", type=int, default=10, help="for each number of clients, after 3 to warm up"
    )
    parser.add_argument("--small", action="store_true", help="to see that it works: the figures mean nothing")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.small:
        given.transfers, given.client_transfers, given.clients = 4_000, 400, [8]
        given.branches, given.pgbench_seconds = 2, 1
    figures: dict[str, object] = {"branches": given.branches}
    with tempfile.TemporaryDirectory(prefix="shardlog-bench-") as place:
        figures |= from_an_input(Path(place) / "input", given.transfers, given.branches)
        ours = {n: from_clients(Path(place) / f"{n}", n, given.client_transfers, given.branches) for n in given.clients}
    peers = pgbench(given.clients, given.branches, given.pgbench_seconds, 1 if given.small else 3)
    best = max((peer.transfers_per_s for peer in peers.values()), default=None)
    figures["pgbench_per_s"] = best
    figures["ratio"] = None if best is None else float(str(figures["transfers_per_s"])) / best
    figures["clients"] = [_row(clients, ours[clients], peers.get(clients)) for clients in given.clients]
    report(figures, given.json)
    return int(not peers and os.environ.get("CI") == "true")


def _row(clients: int, ours: dict[str, float], peer: Peer | None) -> dict[str, object]:
    return {
        "clients": clients,
        **ours,
        "pgbench_per_s": None if peer is None else peer.transfers_per_s,
        "pgbench_ms_mean": None if peer is None else peer.latency_ms,
        "ratio": None if peer is None else ours["transfers_per_s"] / peer.transfers_per_s,
    }


def from_an_input(directory: Path, transfers: int, branches: int) -> dict[str, float]:
    """Transfers a second from an input with offsets, in frames of 200."""
    warm_up = transfers // 4
    journal = open_journal("sqlite", directory)
    source = ListInput(tpcb.records(warm_up + transfers, branches))
    shard = DrivenShard(journal, Limits(), [source], tpcb.application)
    shard.serve()
    while shard.executor.settled(source.name) < warm_up:
        shard.step()
    start, began, cpu = shard.executor.settled(source.name), perf_counter(), thread_time()
    while shard.executor.settled(source.name) < warm_up + transfers:
        shard.step()
    elapsed, cpu = perf_counter() - began, thread_time() - cpu
    shard.close()
    check(journal, warm_up + transfers)
    journal.close()
    done = warm_up + transfers - start
    return {"transfers_per_s": done / elapsed, "cpu_us_per_transfer": cpu / done * 1e6}


def from_clients(directory: Path, clients: int, transfers: int, branches: int) -> dict[str, float]:
    """Transfers a second of so many callers, who each wait for their answer."""
    warm_up = transfers // 4
    journal = open_journal("sqlite", directory)
    shard = DrivenShard(journal, Limits(), (), tpcb.application)
    shard.serve()
    records = [decode_record(value) for value in tpcb.records(warm_up + transfers, branches)]
    Clients(shard, records[:warm_up]).run(clients)
    callers = Clients(shard, records[warm_up:])
    elapsed = callers.run(clients)
    shard.close()
    check(journal, warm_up + transfers)
    journal.close()
    latencies = sorted(callers.latencies_s)
    return {
        "transfers_per_s": transfers / elapsed,
        "ms_p50": percentile(latencies, 0.5) * 1e3,
        "ms_p99": percentile(latencies, 0.99) * 1e3,
    }


def check(journal: Journal, transfers: int) -> None:
    """Read the journal into a fresh state and compare the sums. Raises AssertionError."""
    core = ExecutorCore(tpcb.application, Shard(JOURNAL_ID, 0, 1), Limits())
    reader, frames = Reader(JOURNAL_ID, 0, 1), Replay(core.state, JOURNAL_ID, 0)
    for offset, value in journal.read(0, 0):
        verdict = reader.pass_over(offset, value)
        if isinstance(verdict, FrameTaken):
            frames.apply(offset, verdict.body, reader.epoch, reader.seq)
    tpcb.check(tpcb.sums(core.state), transfers)


# -- the peer ----------------------------------------------------------------------------------------------------------
def pgbench(clients: list[int], branches: int, seconds: int, warm_up_s: int) -> dict[int, Peer]:
    """By number of clients, what pgbench reaches; empty, with a word on what to install, where it is missing."""
    try:
        needed_programs()
    except ServiceMissing as missing:
        print(missing, file=sys.stderr)
        return {}
    with PostgresqlServer(DURABLE) as server:
        server.run("pgbench", "-i", "-q", "-s", str(branches), "postgres")
        script = server.folder / SCRIPT.name
        script.write_text(SCRIPT.read_text())
        script.chmod(0o644)
        server.ask("CHECKPOINT")
        found = {}
        for number in clients:
            _pgbench(server, script, number, branches, warm_up_s)
            found[number] = _pgbench(server, script, number, branches, seconds)
        check_postgresql(server)
        return found


def _pgbench(server: PostgresqlServer, script: Path, clients: int, branches: int, seconds: int) -> Peer:
    said = server.run(
        "pgbench",
        *("--no-vacuum", "--protocol=prepared", f"--file={script}", f"--define=scale={branches}"),
        *(f"--client={clients}", f"--jobs={PGBENCH_THREADS}", f"--time={seconds}", "postgres"),
    )
    rate = re.search(r"^tps = ([\d.]+)", said, re.MULTILINE)
    latency = re.search(r"^latency average = ([\d.]+) ms", said, re.MULTILINE)
    if rate is None or latency is None or "number of failed transactions: 0 " not in said:
        raise RuntimeError(f"pgbench with {clients} clients says: {said}")
    return Peer(float(rate[1]), float(latency[1]))


def check_postgresql(server: PostgresqlServer) -> None:
    """Compare the sums there too. Raises AssertionError."""
    transfers, *totals = map(
        int,
        server.ask(
            "SELECT (SELECT count(*) FROM pgbench_history), (SELECT sum(abalance) FROM pgbench_accounts),"
            " (SELECT sum(tbalance) FROM pgbench_tellers), (SELECT sum(bbalance) FROM pgbench_branches),"
            " (SELECT coalesce(sum(delta), 0) FROM pgbench_history)"
        ),
    )
    tpcb.check(tpcb.Sums(transfers, *totals), transfers)


if __name__ == "__main__":
    sys.exit(main())
