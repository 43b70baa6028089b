"""Mutants of what makes it safe to send a command again."""

from __future__ import annotations

from typing import Any

import msgspec

from shardlog.executor import decider, entries, queue, repeats, replay
from shardlog.executor.core import ExecutorCore
from shardlog.executor.draft import AcceptedAnswer, Draft
from shardlog.executor.queue import RequestQueue
from shardlog.executor.reading import found
from shardlog.executor.requests import Read
from shardlog.executor.shard import ShardExecutor
from shardlog.executor.window import RequestWindow, window_key
from shardlog.model.outcomes import CommandAccepted
from tests.simulation.mutants.mutant import Change, mutant
from tests.simulation.mutants.takes_anything import Anything


@mutant("D2: a repeat of a pending command is answered from the speculative state")
def wait() -> list[Change]:
    build = ExecutorCore.build
    is_answered = repeats.Repeats.is_answered

    def building(self: Any, *fields: Any, **more: Any) -> Any:
        self._decider._repeats.core = self
        return build(self, *fields, **more)

    def at_once(self: Any, request: Any, key: bytes, issued: int | None, draft: Draft) -> bool:
        for place, pending in enumerate(self._pending):
            for answer in pending.answers if key in pending.keys else ():
                is_first = isinstance(answer, AcceptedAnswer)
                if is_first and answer.request.record.command_id == request.record.command_id:
                    shard = self.core.shard
                    token = f"{shard.journal}.{shard.number}.{self.core.next + place}.{answer.last_index}"
                    outcome = CommandAccepted(answer.events, answer.version, token)
                    request.sink.deliver([(request.ticket, outcome)])
                    return True
        return is_answered(self, request, key, issued, draft)

    serve = ShardExecutor._serve

    def serving(self: Any) -> bool:
        self._core.next = self._writer.reader.position
        return serve(self)

    return [
        (ExecutorCore, "build", building),
        (repeats.Repeats, "is_answered", at_once),
        (ShardExecutor, "_serve", serving),
    ]


@mutant("K3: a stream is read at once, frames that are not acknowledged included")
def reads() -> list[Change]:
    waiting = decider.Decider.waiting

    def at_once(self: Any, request: Any) -> None:
        if isinstance(request, Read):
            state = found(self._state.registry, self._shard, request.category, request.id)
            request.sink.deliver([(request.ticket, state)])
        else:
            waiting(self, request)

    return [(decider.Decider, "waiting", at_once)]


@mutant("D2: an id older than the window is not refused")
def floor() -> list[Change]:
    return [(RequestWindow, "is_expired", lambda self, time_in_id, frame_time: False)]


@mutant("D5: an id leaves the window by the time of its frame, whatever the time in it")
def time_in_id() -> list[Change]:
    settle = entries.Entries._settle

    def settling(self: Any, decision: Any, *rest: Any) -> None:
        decision.issued = None
        settle(self, decision, *rest)

    return [(entries.Entries, "_settle", settling), (replay, "time_in_id", lambda command_id: None)]


@mutant("D1: a replay does not fill the window of command ids")
def window_of_replay() -> list[Change]:
    beside = replay.Replay._beside

    def without_ids(self: Any, entry: Any, *place: Any) -> int:
        if entry.origin is None and entry.channel != "kafka":
            entry = msgspec.structs.replace(entry, channel="feeder")
        return beside(self, entry, *place)

    return [(replay.Replay, "_beside", without_ids)]


@mutant("engine: the window's key is the command id alone, without its scope")
def scope() -> list[Change]:
    def without_scope(tenant: str, category: str, id: str, command_id: str) -> bytes:
        return window_key("", "", "", command_id)

    return [(decider, "window_key", without_scope), (replay, "window_key", without_scope)]


@mutant("D6: the same id with another payload is taken for a repeat")
def payload_check() -> list[Change]:
    return [(repeats, "payload_check", lambda record: Anything())]


@mutant("F3: a request of unknown fate is decided anew, however long it has waited")
def late_decisions() -> list[Change]:
    return [(RequestQueue, "expire", lambda self, now: None)]


@mutant("F1: a request whose frame may yet land is answered as not applied")
def unknown_fate() -> list[Change]:
    def unknown(self: Any, requests: Any, why: str) -> None:
        for request in requests:
            self.unavailable(request, why)

    return [(queue.RequestQueue, "unknown", unknown)]
