"""The orchestrator, and what befalls its processes: they start, crash, pause, wake up, and shards move between them."""

from __future__ import annotations

from shardlog.executor.mode import Mode
from shardlog.ports.sends import At
from shardlog.testing.simulation.environment import Environment
from shardlog.testing.simulation.process import Process

SAME_NAME_MAX = 3
"""So many processes of one name at once, at most."""


class Orchestrator:
    """All processes that execute commands. started: how many ever were."""

    def __init__(self, environment: Environment) -> None:
        self.processes: list[Process] = []
        self.started = 0
        self._environment = environment
        self._trace = environment.trace

    def step_some(self) -> None:
        """A shard of some process has its turn."""
        if running := self._running():
            process = self._environment.random.choice(running)
            shards = list(process.executors)
            process.step(self._environment.random.choice(shards))

    def supervise(self) -> None:
        """The orchestrator: a process for each ordinal, and executors for the shards that it should own."""
        environment = self._environment
        self.processes = [process for process in self.processes if process.is_alive]
        for ordinal in range(environment.plan.ordinals):
            if not any(process.ordinal == ordinal for process in self.processes):
                self._start(ordinal)
        for process in self.processes:
            if not process.is_paused:
                for shard, ordinal in enumerate(environment.assigned):
                    executor = process.executors.get(shard)
                    if ordinal == process.ordinal and (executor is None or executor.mode is Mode.STOPPED):
                        process.serve(shard)

    def _start(self, ordinal: int) -> Process:
        self.started += 1
        process = Process(self._environment, ordinal, self.started, self.received)
        self.processes.append(process)
        self._trace.note(process.label, None, "starts, its clock %s us ahead", process.world.skew_us)
        return process

    def start_twice(self) -> None:
        """A second process of a name that runs, or is paused."""
        ordinal = self._environment.random.randrange(self._environment.plan.ordinals)
        if sum(process.ordinal == ordinal for process in self.processes) < SAME_NAME_MAX:
            process = self._start(ordinal)
            for shard, owner in enumerate(self._environment.assigned):
                if owner == ordinal:
                    process.serve(shard)

    def crash(self) -> None:
        """Some process ends, with all that it knew."""
        if self.processes:
            process = self._environment.random.choice(self.processes)
            self._trace.note(process.label, None, "crashes")
            process.end()

    def pause(self) -> None:
        """Some process stands still; it may wake up as a zombie."""
        if self.processes:
            process = self._environment.random.choice(self.processes)
            process.is_paused = True
            self._trace.note(process.label, None, "is paused")

    def resume(self) -> None:
        """Paused processes wake up."""
        for process in self.processes:
            if process.is_paused and self._environment.random.random() < 0.5:
                process.is_paused = False
                self._trace.note(process.label, None, "wakes up")

    def move(self) -> None:
        """Some shard is given to some ordinal."""
        environment = self._environment
        shard = environment.random.randrange(environment.plan.shards)
        environment.assigned[shard] = environment.random.randrange(environment.plan.ordinals)
        self._trace.note("operator", shard, "is given to node-%s", environment.assigned[shard])

    def received(self) -> dict[int, dict[int, At]]:
        """By target and source shard, the last send that a process is known to have taken."""
        found: dict[int, dict[int, At]] = {}
        for process in self.processes:
            for shard, executor in process.executors.items():
                known = found.setdefault(shard, {})
                for source, at in executor.received.items():
                    known[source] = max(at, known.get(source, at))
        return found

    def _running(self) -> list[Process]:
        return [p for p in self.processes if p.is_alive and not p.is_paused and p.executors]

    def carry(self) -> None:
        """The relay of some process has its turn."""
        if running := self._running():
            self._environment.random.choice(running).carry()

    def snapshot(self) -> None:
        """Some process writes the snapshot that it holds."""
        if waiting := [p for p in self._running() if p.background.work is not None]:
            self._environment.random.choice(waiting).work_in_background()

    def find(self, shard: int, is_stray: bool) -> Process | None:
        """Where a request for this shard goes: to its owner, or to any process that serves it, or did."""
        owner = self._environment.assigned[shard]
        able = [p for p in self.processes if shard in p.executors and (is_stray or p.ordinal == owner)]
        return self._environment.random.choice(able) if able else None

    def calm_down(self) -> None:
        """No more faults: one process an ordinal stays, its clock right; paused ones wake up."""
        kept: set[int] = set()
        for process in self.processes:
            process.is_paused = False
            process.crashes.chance = 0
            process.world.skew_us = 0
        for process in reversed(self.processes):
            if process.ordinal in kept:
                process.end()
            kept.add(process.ordinal)

    def is_served(self, shard: int) -> bool:
        """Whether the process that should own a shard serves it."""
        owner = self._environment.assigned[shard]
        modes = [p.executors[shard].mode for p in self.processes if p.ordinal == owner and shard in p.executors]
        return modes == [Mode.SERVING]
