"""What carries sends to their target shards in a process: the real relay, whose offers come again or with gaps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from shardlog.adapters.memory.relay import MemoryRelayStore
from shardlog.errors import CheckpointMoved, Corrupt, ShardlogError, StoreUnavailable
from shardlog.model.recorded import Position
from shardlog.ports.checkpoints import Checkpoint, Move
from shardlog.ports.inputs import Input
from shardlog.ports.journal import Journal
from shardlog.ports.relay import CommandDeadLetter, CommandLetterState, RelayStore
from shardlog.ports.sends import At, SendsSource
from shardlog.relay.limits import RelayLimits
from shardlog.relay.runner import Received, Relay
from shardlog.testing.simulation.bank import bank
from shardlog.testing.simulation.crashing import CrashPoints
from shardlog.testing.simulation.environment import JOURNAL, Environment
from shardlog.testing.simulation.finding import Finding

LIMITS = RelayLimits(held_sends_max=60, read_records_max=20, checkpoint_ms=30, retry_ms=10, retry_ms_max=40)
EXPECTED_ERRORS = (CheckpointMoved, Corrupt, StoreUnavailable)


class UnkindRelayStore(RelayStore):
    """The relay's store as one process has it: it may be unavailable, before or after it has written."""

    def __init__(self, environment: Environment, crashes: CrashPoints, store: MemoryRelayStore) -> None:
        self._environment = environment
        self._crashes = crashes
        self._store = store

    def checkpoints(self, journal: str) -> Mapping[int, Checkpoint]:
        self._crashes.reach("before a read of the relay's checkpoints")
        return self._store.checkpoints(journal)

    def write(self, moves: Sequence[Move], letters: Sequence[CommandDeadLetter]) -> None:
        self._crashes.reach("before the relay's transaction")
        self._may_be_unavailable("nothing was written")
        self._store.write(moves, letters)
        self._crashes.reach("after the relay's transaction")
        self._may_be_unavailable("the answer was lost")

    def dead_letters(self, journal: str, limit: int, after: Position | None = None) -> list[CommandDeadLetter]:
        return self._store.dead_letters(journal, limit, after)

    def resolve(self, position: Position, state: CommandLetterState) -> None:
        raise NotImplementedError("no simulated operator resolves dead letters")

    def close(self) -> None:
        """Nothing to free."""

    def _may_be_unavailable(self, why: str) -> None:
        if self._environment.happens(self._environment.faults.store_error):
            raise StoreUnavailable(why)


class ProcessCarrier(SendsSource):
    """The relay of one process. received: what the targets are known to have, everywhere."""

    def __init__(
        self,
        environment: Environment,
        journal: Journal,
        crashes: CrashPoints,
        inputs: Sequence[Input],
        received: Callable[[], Received],
        monotonic_ms: Callable[[], float],
    ) -> None:
        store = UnkindRelayStore(environment, crashes, environment.relay_store)
        shards = environment.plan.shards
        self._environment = environment
        self._crashes = crashes
        self.relay = Relay(journal, JOURNAL, shards, bank, store, received, monotonic_ms, inputs, LIMITS)

    def step(self) -> bool:
        """Let the relay do what it can do now. Raises Finding for an error that no fault explains."""
        found = self.relay.step()
        for name, error in self.relay.errors.items():
            self._check(name, error)
        return found

    def waiting(self, target: int, received: Mapping[int, At], limit: int) -> Sequence[bytes]:
        environment = self._environment
        if received and environment.happens(environment.faults.send_again):
            received = {}  # from the beginning of what is held
        found = self.relay.waiting(target, received, limit)
        if found:
            self._crashes.reach("before a pull of sends")
        if len(found) > 1 and environment.happens(environment.faults.send_gap):
            place = environment.random.randrange(len(found))
            found = [*found[:place], *found[place + 1 :]]
        return found

    def _check(self, name: str, error: ShardlogError) -> None:
        if not isinstance(error, EXPECTED_ERRORS):
            raise Finding(f"the relay cannot go on with {name}: {type(error).__name__}: {error}") from error
