"""One shard's executor without I/O: commands in, frame bodies and answers out.

It holds speculative state (frames appended and not acknowledged) and can go back to the acknowledged one. The clock
comes in with each frame. Who appends the frames, and when they count, is `shardlog.executor.shard`'s business.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from shardlog.errors import ClockBehind
from shardlog.executor.decider import Decider
from shardlog.executor.draft import Answer, Draft, RepeatAnswer
from shardlog.executor.limits import Limits
from shardlog.executor.requests import Request, Waiting
from shardlog.executor.state import Shard, ShardState
from shardlog.model.application import Application
from shardlog.ports.sends import At
from shardlog.telemetry.counts import ShardCounts


class Batch(NamedTuple):
    """What an input has now, from the first offset that is not settled.

    channel: `feeder` or `kafka`. carries_sends: whether its records may have an origin.
    """

    input: str
    channel: str
    records: Sequence[tuple[int, bytes]]
    carries_sends: bool = False


class ExecutorCore:
    """The state of one shard and the frames on their way.

    counts: what came of commands and frames since this core was made. settled: the inputs' first offsets not settled,
    and received: by source shard the last send taken, both by acknowledged frames.
    """

    def __init__(self, application: Application, shard: Shard, limits: Limits) -> None:
        self.shard = shard
        self.limits = limits
        self.state = ShardState(application, limits)
        self._pending: deque[Draft] = deque()
        self._unbound: list[Answer] = []
        self.counts = ShardCounts()
        self.settled: dict[str, int] = {}
        self.received: dict[int, At] = {}
        self._decider = Decider(self.state, self._pending, shard, limits)

    @property
    def pending(self) -> int:
        """Frames built and not yet acknowledged."""
        return len(self._pending)

    @property
    def pending_commands(self) -> int:
        """Commands in the frames that were built and are not acknowledged."""
        return sum(draft.commands for draft in self._pending)

    def claimed(self, epoch: int, nonce: str, now: int) -> None:
        """This writer owns the shard from here on. now: microseconds since 1970 UTC. Raises ClockBehind."""
        self.check_clock(now)
        self.settled = dict(self.state.inputs)
        self.received = dict(self.state.received)
        self._decider.owned(epoch, nonce)

    def check_clock(self, now: int) -> None:
        """Refuse to serve by a clock that is behind the newest frame (rule D4). Raises ClockBehind."""
        behind_us = self.state.time - now
        if behind_us > self.limits.clock_ahead_max_ms * 1000:
            raise ClockBehind(
                f"shard {self.shard.number}: this host's clock is {behind_us // 1000} ms behind the newest frame, and "
                f"{self.limits.clock_ahead_max_ms} ms are allowed (clock_ahead_max_ms): set the clock, then start again"
            )

    def build(
        self, requests: deque[Waiting], batches: Sequence[Batch], now: int, seq: int, sends: Sequence[bytes] = ()
    ) -> Draft | None:
        """Take what is there, up to a frame's limits; None where nothing is to be recorded.

        sends: to this shard, of each source in order, with their origins; those that find no room are offered again.

        Requests leave their queue as they are taken; records of inputs are settled up to where the frame says.
        Answers that leave no entry wait in the frame, or in the newest pending one; `unbound_answers` hands out those
        that need not wait.
        """
        state = self.state
        draft = Draft(max(state.time, now), seq, state.before())
        state.time = draft.time
        self._decider.begin(draft)
        try:
            self._take_requests(draft, requests, len(sends) + sum(len(batch.records) for batch in batches))
            self._take_sends(draft, sends, bool(batches))
            for turn in range(len(batches)):
                self._take_records(draft, batches[(seq + turn) % len(batches)])
        except BaseException:
            self._pending.append(draft)  # so that going back undoes it, and finds who waits
            raise
        if draft.has_something_to_record:
            self._pending.append(draft)
            return draft
        state.time = draft.before.time
        if self._pending:
            newest = self._pending[-1]
            newest.answers += draft.answers
            for kind, count in draft.tally.items():
                newest.tally[kind] = newest.tally.get(kind, 0) + count
        else:
            self.counts.others(draft.tally)
            self._unbound += draft.answers
        return None

    def unbound_answers(self) -> list[Answer]:
        """Answers that rest on acknowledged state alone; each is handed out once."""
        answers, self._unbound = self._unbound, []
        return answers

    def _take_requests(self, draft: Draft, requests: deque[Waiting], records: int) -> None:
        """Requests go first, and leave half of the frame to records that wait beside them, by number and bytes."""
        decide = self._decider.waiting
        most = self.limits.frame_commands_max
        left = most - min(most // 2, records)
        bytes_max = self.limits.entry_bytes_max
        if records:
            bytes_max //= 2
        while requests and left and draft.bytes < bytes_max:
            decide(requests[0])
            requests.popleft()  # now that it is decided: an exception leaves it waiting
            left -= 1

    def _take_sends(self, draft: Draft, sends: Sequence[bytes], is_shared: bool) -> None:
        """Sends come before records of inputs, since a process waits for them, and leave these a quarter."""
        most, bytes_max = self.limits.frame_commands_max, self.limits.entry_bytes_max
        if is_shared:
            most, bytes_max = most * 3 // 4, bytes_max * 3 // 4
        for value in sends:
            if len(draft.entries) >= most or draft.bytes >= bytes_max:
                break
            self._decider.send(value)

    def _take_records(self, draft: Draft, batch: Batch) -> None:
        decide = self._decider.input_record
        most = self.limits.frame_commands_max
        half = self.limits.entry_bytes_max
        name, channel, records, carries_sends = batch
        entries, last = draft.entries, -1
        for offset, value in records:
            if len(entries) >= most or draft.bytes >= half:
                break
            decide(name, channel, offset, value, carries_sends)
            last = offset
        if last >= 0:
            self.state.inputs[name] = draft.moves[name] = last + 1

    def acknowledge(self, offset: int) -> list[Answer]:
        """The oldest pending frame stands in the log at this offset: its ids enter the windows, its answers may
        go."""
        draft = self._pending.popleft()
        state = self.state
        self.counts.accepted += draft.accepted
        if draft.tally:
            self.counts.others(draft.tally)
        self.settled.update(draft.moves)
        self.received.update(draft.received)
        for key, known in draft.keys.items():
            state.requests.add(key, offset, known.first_index, known.check, known.time)
        state.counted.add_frame(offset, draft.counted)
        state.requests.frame_ended(draft.time)
        state.counted.frame_ended()
        return draft.answers

    def roll_back(self) -> tuple[list[Answer], list[Waiting]]:
        """Go back to the acknowledged state.

        Returns the repeats whose first outcome is acknowledged, to be answered, and the requests whose outcome is
        unknown, in order (rule F3).
        """
        known: list[Answer] = []
        waiting: list[Waiting] = []
        drafts = list(self._pending)
        self._pending.clear()
        for draft in reversed(drafts):
            draft.undo_writes()
            self.state.restore(draft.before)
        for draft in drafts:
            for answer in draft.answers:
                if isinstance(answer, RepeatAnswer) and self._is_known(answer):
                    known.append(answer)
                else:
                    waiting.append(_decided(answer.request, draft.time))
        return known, waiting

    def _is_known(self, answer: RepeatAnswer) -> bool:
        return answer.place is not None or self.state.requests.find(answer.key) is not None


def _decided(request: Waiting, time: int) -> Waiting:
    """The request, with the time of the first frame that it was decided in."""
    if not isinstance(request, Request) or request.decided_at is not None:
        return request
    return msgspec.structs.replace(request, decided_at=time)
