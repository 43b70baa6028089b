"""Whether a request is settled by its id alone: known, too old, from the future, or no room to remember it."""

from __future__ import annotations

from collections import deque

from shardlog.executor.draft import Draft, Known, PlainAnswer, RepeatAnswer
from shardlog.executor.limits import Limits
from shardlog.executor.requests import Request, payload_check
from shardlog.executor.state import ShardState
from shardlog.model.outcomes import CommandRejected, CommandUnavailable


class Repeats:
    """Asks the windows and the frames on their way. The order of tests is rule D5's."""

    def __init__(self, state: ShardState, pending: deque[Draft], limits: Limits) -> None:
        self._state = state
        self._pending = pending
        self._limits = limits
        self._room_of: Draft | None = None
        self._room_left = 0

    def is_counted_repeat(self, key: bytes, draft: Draft) -> bool:
        """Whether an id of a commands topic is known."""
        return (
            key in draft.counted
            or any(key in pending.counted for pending in self._pending)
            or self._state.counted.find(key) is not None
        )

    def is_answered(self, request: Request, key: bytes, issued: int | None, draft: Draft) -> bool:
        """Whether the request needs no decision; its answer is then in the draft.

        issued: the time in its id, microseconds since 1970 UTC; None where it holds none.
        """
        place = self._state.requests.find(key)
        known = place or self._known(key, draft)
        if known is None:
            aged = None if issued is None else self._age(request, issued, draft)
            refusal = aged or self._room(draft)
            if refusal is not None:
                draft.count("refused", refusal.code)
                draft.answers.append(PlainAnswer(request, refusal))
            return refusal is not None
        if known.check == payload_check(request.record):
            draft.count("repeated")
            draft.answers.append(RepeatAnswer(request, key, place))
        else:
            draft.count("refused", "id_reused")
            draft.answers.append(PlainAnswer(request, _reused(request)))
        return True

    def _known(self, key: bytes, draft: Draft) -> Known | None:
        known = draft.keys.get(key)
        for pending in self._pending:
            if known is not None:
                break
            known = pending.keys.get(key)
        return known

    def _age(self, request: Request, issued: int, draft: Draft) -> CommandRejected | None:
        id, limits = request.record.command_id, self._limits
        if self._state.requests.is_expired(issued, draft.time):
            return _refused(
                "expired",
                f"command id {id} is {(draft.time - issued) // 1000} ms old, and ids are known for "
                f"{limits.dedupe_window_ms} ms (dedupe_window_ms): it may have been applied. Read the stream, and send "
                "the command under a new id if it was not",
            )
        if issued > draft.time + limits.clock_ahead_max_ms * 1000:
            return _refused(
                "issued_in_future",
                f"command id {id} is {(issued - draft.time) // 1000} ms ahead of this shard's clock, and "
                f"{limits.clock_ahead_max_ms} ms are allowed (clock_ahead_max_ms): set the client's clock",
            )
        return None

    def _room(self, draft: Draft) -> CommandUnavailable | None:
        if draft is not self._room_of:  # frames are acknowledged between drafts, not within one
            self._room_of = draft
            on_their_way = sum(len(pending.keys) for pending in self._pending)
            self._room_left = self._state.requests.room(draft.time) - on_their_way
        if len(draft.keys) < self._room_left:
            return None
        return CommandUnavailable(
            code="unavailable",
            message=f"the window holds {self._limits.dedupe_ids_max} command ids (dedupe_ids_max) and forgets none "
            "early; the command was not applied, send it again later",
            retry_after_ms=self._limits.retry_after_ms,
        )


def _refused(code: str, message: str) -> CommandRejected:
    return CommandRejected(code=code, message=message, details=None, token=None)


def _reused(request: Request) -> CommandRejected:
    record = request.record
    return _refused(
        "id_reused",
        f"command id {record.command_id!r} was used on {record.category}/{record.id} for another command or payload: "
        "take a new id for a new command",
    )
