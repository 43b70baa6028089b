"""One run: the world of a seed, step by step, until faults stop and everything comes to rest."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import NamedTuple

import stamina

from shardlog.adapters.memory.projections import MemoryDatabase
from shardlog.snapshots.keys import DATA
from shardlog.testing.simulation.checker import Checker
from shardlog.testing.simulation.clients import ACCOUNTS, Clients, feed_value, shard_of_account
from shardlog.testing.simulation.environment import JOURNAL, Environment
from shardlog.testing.simulation.finding import Finding
from shardlog.testing.simulation.history import History
from shardlog.testing.simulation.orchestrator import Orchestrator
from shardlog.testing.simulation.plan import plan_of
from shardlog.testing.simulation.projecting import ProjectionProcess, check_projections
from shardlog.testing.simulation.states import check_states

CALM_ROUNDS_MAX = 600
"""How many rounds a run may take to come to rest without faults."""


class Outcome(NamedTuple):
    """What a run was like. digest: of all logs, the same for the same seed wherever it runs."""

    seed: int
    steps: int
    commands: int
    answers: int
    frames: int
    entries: int
    crashes: int
    digest: str


class Simulation:
    """The run of one seed. Raises Finding from `run` where a promise does not hold."""

    def __init__(self, seed: int, keeps_trace: bool = False) -> None:
        self.environment = environment = Environment(plan_of(seed), keeps_trace)
        self.trace = environment.trace
        self.history = History(environment.plan.shards)
        self.orchestrator = Orchestrator(environment)
        self.database = MemoryDatabase()
        self.projectors: list[ProjectionProcess] = []
        self.clients = Clients(environment, self.history, self.orchestrator.find)
        self._started_projectors = 0
        self._records = 0
        self._steps = 0
        self._is_probed = False

    def run(self) -> Outcome:
        """From the first process to the last check."""
        with stamina.set_testing(True, attempts=10, cap=True):  # its waits would be in true time
            self.orchestrator.supervise()
            self._go_wrong()
            self._come_to_rest()
            return self._check()

    # -- with faults ---------------------------------------------------------------------------------------------------
    def _go_wrong(self) -> None:
        environment = self.environment
        faults, plan, random = environment.faults, environment.plan, environment.random
        moves: list[tuple[float, Callable[[], object]]] = [
            (8, self.orchestrator.step_some),
            (10 * plan.networking, environment.broker.step),
            (3, self.clients.step),
            (0.8, self._feed),
            (0.3, self.orchestrator.supervise),
            (0.2, self.orchestrator.resume),
            (0.1, self._compare),
            (1, self._project),
            (1.5, self.orchestrator.carry),
            (1, self.orchestrator.snapshot),
            (20 * faults.rot, self._rot),
            (20 * faults.rebuild, self._rebuild),
            (20 * faults.crash, self.orchestrator.crash),
            (20 * faults.pause, self.orchestrator.pause),
            (20 * faults.wrong_start, self.orchestrator.start_twice),
            (20 * faults.move, self.orchestrator.move),
            (20 * faults.leader_change, environment.broker.change_leader),
            (20 * faults.time_jump, self._jump),
        ]
        acts = [act for weight, act in moves if weight]
        weights = [weight for weight, _ in moves if weight]
        for act in random.choices(acts, weights, k=plan.steps):
            environment.clock.pass_ms(random.random() * 2 * plan.pace_ms)
            act()
            self._steps += 1

    def _jump(self) -> None:
        ms = self.environment.random.choice((100, 300, 700))
        self.trace.note("simulation", None, "nothing happens for %s ms", ms)
        self.environment.clock.pass_ms(ms)

    def _feed(self) -> None:
        """A record comes into an input, perhaps a bad one, or one of another shard."""
        environment = self.environment
        random, faults, shards = environment.random, environment.faults, environment.plan.shards
        feed = random.choice(environment.feeds)
        id = random.choice(ACCOUNTS)
        shard = shard_of_account(id, shards)
        known = feed.records[shard]
        self._records += 1
        if environment.happens(faults.bad_record):
            shard = random.randrange(shards)
            value = random.choice((b"no record", b"[1,2]", feed_value(random, id, f"record-{self._records:06}")))
        elif known and feed.name.startswith("kafka:") and environment.happens(faults.repeated_record):
            value = random.choice(known)
        else:
            value = feed_value(random, id, f"record-{self._records:06}")
        feed.put(shard, value)

    def _project(self) -> None:
        """A projector writes a batch; sometimes there are two of them."""
        random = self.environment.random
        self.projectors = [projector for projector in self.projectors if projector.is_alive]
        if not self.projectors or (
            len(self.projectors) < 2 and self.environment.happens(self.environment.faults.wrong_start)
        ):
            self._started_projectors += 1
            self.projectors.append(ProjectionProcess(self.environment, self.database, self._started_projectors))
        random.choice(self.projectors).step()

    def _rebuild(self) -> None:
        if self.projectors:
            self.environment.random.choice(self.projectors).rebuild()

    def _rot(self) -> None:
        """An object is damaged: a bit changes, or all from a place on is gone."""
        environment = self.environment
        if environment.objects:
            last = list(environment.objects)[-4:]
            data = [key for key in last if key.endswith(DATA)]  # a manifest is noticed in any case
            key = environment.random.choice(data if data and environment.random.random() < 0.8 else last)
            value = environment.objects[key]
            place = int(environment.random.random() * len(value))  # its length depends on how strings are hashed
            bit = 1 << environment.random.randrange(8)
            end = value[place + 1 :] if environment.random.random() < 0.8 else b""
            environment.objects[key] = value[:place] + bytes(byte ^ bit for byte in value[place : place + 1]) + end
            self.trace.note("objects", None, "%s is damaged", key)

    def _compare(self) -> None:
        """A state that rests on acknowledged frames alone is what a replay gives."""
        for process in self.orchestrator.processes:
            check_states(self.environment, process)

    # -- without -------------------------------------------------------------------------------------------------------
    def _come_to_rest(self) -> None:
        environment = self.environment
        environment.calm_down()
        self.trace.note("simulation", None, "faults stop")
        self.orchestrator.calm_down()
        for projector in self.projectors:
            projector.calm_down()
        environment.clock.pass_ms(500)
        for turn in range(CALM_ROUNDS_MAX):
            environment.clock.pass_ms(5)
            self.orchestrator.supervise()
            while environment.broker.is_busy:
                environment.broker.step()
            moved = [p.step(shard) for p in self.orchestrator.processes for shard in list(p.executors)]
            moved += [process.carry() or process.work_in_background() for process in self.orchestrator.processes]
            if turn % 20 == 0 and not self.clients.settle():
                continue
            if not any(moved) and self._is_at_rest():
                if self._is_probed:
                    self._finish_projections()
                    return
                self._is_probed = True
                self.clients.probe()
        raise Finding(f"it does not come to rest: {self._unrest()}")

    def _finish_projections(self) -> None:
        last = ProjectionProcess(self.environment, self.database, self._started_projectors + 1)
        for projector in [*self.projectors, last]:
            while projector.is_alive and projector.step():
                pass

    def _is_at_rest(self) -> bool:
        return (
            all(operation.is_settled for operation in self.history.operations)
            and not self.environment.broker.is_busy
            and all(process.carrier.relay.behind() == 0 for process in self.orchestrator.processes)
            and all(self.orchestrator.is_served(shard) for shard in range(self.environment.plan.shards))
        )

    def _unrest(self) -> str:
        modes = [
            f"{p.label} shard {s}: {e.mode.value}" for p in self.orchestrator.processes for s, e in p.executors.items()
        ]
        waiting = [operation.key for operation in self.history.operations if not operation.is_settled]
        return f"{', '.join(modes)}; {len(waiting)} commands have no final answer: {waiting[:3]}"

    def _check(self) -> Outcome:
        environment = self.environment
        logs = [partition.values for partition in environment.broker.partitions]
        checker = Checker(self.history, environment.feeds, logs, is_at_rest=True)
        checker.check()
        self._check_dead_letters(checker)
        check_projections(environment, self.database, checker.books)
        for process in self.orchestrator.processes:
            check_states(environment, process, checker.books)
        digest = blake2b(digest_size=16)
        for log in logs:
            for value in log:
                digest.update(value)
        return Outcome(
            seed=environment.plan.seed,
            steps=self._steps,
            commands=len(self.history.operations),
            answers=sum(a.outcome is not None for a in self.history.attempts),
            frames=sum(len(frames) for frames in checker.frames),
            entries=checker.entries,
            crashes=self.orchestrator.started - len(self.orchestrator.processes),
            digest=digest.hexdigest(),
        )

    def _check_dead_letters(self, checker: Checker) -> None:
        """Each command that nobody goes on from is stored, once."""
        store = self.environment.relay_store
        positions = [letter.position for letter in store.dead_letters(JOURNAL, len(checker.dead_letters) + 10)]
        found = [(position.shard, position.offset, position.index) for position in positions]
        if found != sorted(checker.dead_letters):
            raise Finding(f"dead letters stand at {found}, and must at {sorted(checker.dead_letters)}")
