"""`python -m bench.execute --journal kafka`: from the commands topic to acknowledged frames, beside limits and peers.

`commands_per_s`: the topic is full; one executor takes, decides and appends in frames of 200, exactly once, when every
stream is there already. `frame_ack_ms_*`: from the moment in which a batch was read to its acknowledgement.
`ack_ms_*`: single commands over the topic, open loop, 1,000 a second, once the broker is warm, the median of three
rounds; `ack_at_60_percent_ms_*`: at 60 % of
`commands_per_s`; `curve`: at other rates. `local_ack_ms_*`: requests of callers in the process, 1,000 a second.

Beside it, with the same commands in the same run: a loop without an engine (`limit_*`; `limit_single_ack_ms_*`
is the same offer of 1,000 a second without one, by turns with it), the same with a Kafka
transaction a batch (`transactions_*`), and quixstreams and faust-streaming (`bench.kafka.peers`).
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence

from bench import load
from bench.kafka import latency, peers
from bench.kafka.latency import offered_over_the_topic
from bench.kafka.limit import with_transactions, without_an_engine
from bench.kafka.place import Place, place, with_broker
from bench.kafka.throughput import from_the_topic
from bench.report import report
from bench.workload import one_each, records
from shardlog.executor.requests import decode_record

STEADY_PER_S = 1_000
PART_OF_THE_MAXIMUM = 0.6
ROUNDS = 3
"""How often the steady rate is offered, with and without an engine by turns; the median round counts."""
WARM_UP_ROUNDS = 4
"""Offers before anything single is measured. A broker that has moved batches only compiles its way of single records
meanwhile: the first offers take ten to a hundred times as long, whoever is behind it."""
TRANSACTION_COMMANDS_MAX = 40_000
TRANSACTIONS_OF_1 = 500
RATES_PER_S = (500, 1_000, 5_000, 20_000, 40_000)


def main(given: argparse.Namespace) -> int:
    """Measure and print; the exit code."""
    return with_broker(lambda bootstrap: _main(bootstrap, given))


def _main(bootstrap: str, given: argparse.Namespace) -> int:
    streams: int = given.streams
    figures: dict[str, object] = {"journal": "kafka", "streams": streams}
    figures |= in_frames_of_200(bootstrap, given.commands, streams)
    reached = float(str(figures["commands_per_s"]))
    figures |= single_commands(bootstrap, reached, given.rates or RATES_PER_S, given.seconds, streams, given.small)
    of_1 = float(str(figures["transactions_of_1_ack_ms_p50"]))
    figures["peer_latency_ratio_of_1"] = of_1 / float(str(figures["ack_ms_p50"]))
    if not given.without_peers:
        figures |= peers.figures(bootstrap, given.peer, streams, reached)
    figures["load_average"] = os.getloadavg()[0]
    report(figures, given.json)
    return 0


def in_frames_of_200(bootstrap: str, commands: int, streams: int) -> dict[str, float]:
    """Throughput, beside the limit and beside transactions, over the same records of the same topic."""
    with place(bootstrap) as here:
        here.send([*one_each(range(streams)), *records(commands, streams)])
        start, end = streams, streams + commands
        found = from_the_topic(here, streams, commands)
        to = here.settings.journal_topic  # behind the frames: what is no record of the journal counts for nobody
        found |= without_an_engine(here.settings, to, start, end)
        found |= with_transactions(here.settings, to, start, min(end, start + TRANSACTION_COMMANDS_MAX))
        of_1 = with_transactions(here.settings, to, start, min(end, start + TRANSACTIONS_OF_1), 1)
        found["transactions_of_1_ack_ms_p50"] = of_1["transactions_ack_ms_p50"]
    found["limit_ratio"] = found["commands_per_s"] / found["limit_commands_per_s"]
    found["peer_latency_ratio"] = found["transactions_ack_ms_p50"] / found["frame_ack_ms_p50"]
    return found


def single_commands(
    bootstrap: str, reached_per_s: float, rates_per_s: Sequence[int], seconds: float, streams: int, is_small: bool
) -> dict[str, object]:
    """Latencies over offered load. saturation_per_s: the highest of these rates that was kept up with, if one was."""
    share = max(1, int(PART_OF_THE_MAXIMUM * reached_per_s))
    for _ in range(0 if is_small else WARM_UP_ROUNDS):
        _offered(bootstrap, latency.without_an_engine, seconds, streams)
    steady, bare = by_turns(bootstrap, 1 if is_small else ROUNDS, seconds, streams)
    points = {STEADY_PER_S: steady}
    for rate in sorted({*rates_per_s, share} - {STEADY_PER_S}):
        with place(bootstrap) as here:
            points[rate] = offered_over_the_topic(here, rate, seconds, streams)
    with place(bootstrap) as here:
        workload = records(int(STEADY_PER_S * (load.WARM_UP_SECONDS + seconds)), streams)
        local = load.at_rate(here.journal, [decode_record(value) for value in workload], STEADY_PER_S, seconds)
    shared = points[share]
    return {
        "ack_ms_p50": steady.ms_p50,
        "ack_ms_p99": steady.ms_p99,
        "limit_single_ack_ms_p50": bare.ms_p50,
        "limit_single_ack_ms_p99": bare.ms_p99,
        "ack_at_60_percent_ms_p50": shared.ms_p50,
        "ack_at_60_percent_ms_p99": shared.ms_p99,
        "at_60_percent_offered_per_s": share,
        "local_ack_ms_p50": local.ms_p50,
        "local_ack_ms_p99": local.ms_p99,
        "saturation_per_s": max((rate for rate, found in points.items() if found.is_met), default=None),
        "curve": [points[rate]._asdict() for rate in sorted(points)],
    }


def by_turns(bootstrap: str, rounds: int, seconds: float, streams: int) -> tuple[load.Point, load.Point]:
    """The steady rate with an engine and without one; of each the round with the median p50."""
    with_one, without = [], []
    for _ in range(rounds):
        with_one.append(_offered(bootstrap, offered_over_the_topic, seconds, streams))
        without.append(_offered(bootstrap, latency.without_an_engine, seconds, streams))
    return _median(with_one), _median(without)


def _offered(
    bootstrap: str, offer: Callable[[Place, int, float, int], load.Point], seconds: float, streams: int
) -> load.Point:
    with place(bootstrap) as here:
        return offer(here, STEADY_PER_S, seconds, streams)


def _median(points: Sequence[load.Point]) -> load.Point:
    return sorted(points, key=lambda point: point.ms_p50)[len(points) // 2]
