"""What a seed decides before the run: the size of the world, and which faults it holds and how often.

Each seed enables a random part of the faults (swarm testing, Groce et al. 2012): a fault that is always there hides
what only happens without it.
"""

from __future__ import annotations

from random import Random

import msgspec

FAULT_IS_OFF = 0.45
"""How often a fault does not occur at all in a run."""


class Faults(msgspec.Struct, frozen=True, kw_only=True):
    """Chances, each of one occasion of its kind; 0 is never.

    Appends and reports: lost, late (lands out of order), twice, failed (an error is reported, whatever becomes of it),
    silent (no report), no_offset, dropped_at_abandon. The log: leader_change, foreign (somebody else's bytes).
    Readers: stale_end, read_error. Processes, of each step of the simulation: crash, pause, wrong_start (a second
    process of the same name), move (of a shard); boundary_crash of each effect. Clocks: skew_ms, time_jump. Requests:
    request_lost, reply_lost, request_again, request_late, altered (same id, another payload), old_id, future_id,
    stray (to a process that the shard was not given to). Sends: send_again, send_gap. Inputs: bad_record,
    repeated_record. Projections and relays: store_error, rebuild. Snapshots:
    object_error, rot (an object is damaged).
    """

    lost: float = 0
    late: float = 0
    twice: float = 0
    failed: float = 0
    silent: float = 0
    no_offset: float = 0
    dropped_at_abandon: float = 0
    leader_change: float = 0
    foreign: float = 0
    stale_end: float = 0
    read_error: float = 0
    crash: float = 0
    pause: float = 0
    wrong_start: float = 0
    move: float = 0
    boundary_crash: float = 0
    skew_ms: float = 0
    time_jump: float = 0
    request_lost: float = 0
    reply_lost: float = 0
    request_again: float = 0
    request_late: float = 0
    altered: float = 0
    old_id: float = 0
    future_id: float = 0
    stray: float = 0
    send_again: float = 0
    send_gap: float = 0
    bad_record: float = 0
    repeated_record: float = 0
    store_error: float = 0
    rebuild: float = 0
    object_error: float = 0
    rot: float = 0


HIGHEST: dict[str, float] = {
    "lost": 0.15,
    "late": 0.6,
    "twice": 0.3,
    "failed": 0.15,
    "silent": 0.15,
    "no_offset": 0.3,
    "dropped_at_abandon": 0.8,
    "leader_change": 0.03,
    "foreign": 0.02,
    "stale_end": 0.9,
    "read_error": 0.01,
    "crash": 0.01,
    "pause": 0.02,
    "wrong_start": 0.01,
    "move": 0.01,
    "boundary_crash": 0.01,
    "skew_ms": 200,
    "time_jump": 0.01,
    "request_lost": 0.3,
    "reply_lost": 0.4,
    "request_again": 0.5,
    "request_late": 0.3,
    "altered": 0.3,
    "old_id": 0.1,
    "future_id": 0.3,
    "stray": 0.4,
    "send_again": 0.6,
    "send_gap": 0.5,
    "bad_record": 0.3,
    "repeated_record": 0.3,
    "store_error": 0.3,
    "rebuild": 0.005,
    "object_error": 0.2,
    "rot": 0.1,
}
"""The highest chance of each fault that a seed may draw."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The size of a run. steps: with faults; then they stop, and everything must come to rest.

    ordinals: of processes. networking: how busy the network is, against everything else. pace_ms: the mean time from
    one step to the next.
    """

    seed: int
    shards: int
    ordinals: int
    steps: int
    networking: float
    pace_ms: float
    faults: Faults


def plan_of(seed: int) -> Plan:
    """The plan of a seed."""
    random = Random(f"plan {seed}")  # noqa: S311  # a seed is the point
    chances = {name: _chance(random, highest) for name, highest in HIGHEST.items()}
    return Plan(
        seed=seed,
        shards=random.choice((1, 2, 2, 3)),
        ordinals=random.choice((1, 2, 2, 3)),
        steps=random.choice((300, 600, 900)),
        networking=random.choice((0.4, 1.0, 2.5)),
        pace_ms=random.choice((0.5, 2.0, 5.0)),
        faults=Faults(**chances),
    )


def _chance(random: Random, highest: float) -> float:
    is_off = random.random() < FAULT_IS_OFF
    return 0.0 if is_off else highest * random.choice((0.1, 0.3, 1.0))
