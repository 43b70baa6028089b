"""What comes of a command, written as an entry of the frame: accepted, rejected, forwarded or unreadable."""

from __future__ import annotations

from typing import Any

import msgspec

from shardlog.errors import DomainError, EngineRejection, Rejection
from shardlog.executor.deciding import EventRecord
from shardlog.executor.decision import Decision, HeardEvent, ProcessManagerFailed, WrongVersion, instant, log
from shardlog.executor.draft import AcceptedAnswer, Draft, Known, PlainAnswer, RejectedAnswer
from shardlog.executor.limits import Limits
from shardlog.executor.requests import CommandRecord, Request, payload_check, with_expectations
from shardlog.executor.sends import Outbox
from shardlog.executor.state import Shard, ShardState
from shardlog.executor.window import TIMED_CHANNELS
from shardlog.model.outcomes import CommandRejected
from shardlog.model.process import Rejected
from shardlog.model.recorded import Recorded
from shardlog.telemetry.fields import Fields

RECORDED_ENGINE_CODES = frozenset({"wrong_version", "other_routing_key", "internal_error"})
"""Engine refusals that are decisions: recorded for requests too. The others are answered only."""
MESSAGE_CHARACTERS_MAX = 1_000
SEND_BYTES = 1_024
"""What the record of a send holds beside payload and what it carries on: ids, names, its place."""
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Entries:
    """Writes entries into the draft that was begun last."""

    def __init__(self, state: ShardState, shard: Shard, limits: Limits) -> None:
        self._state = state
        self._shard = shard
        self._limits = limits
        self._bytes_max = limits.entry_bytes_max
        self._draft: Draft
        self._epoch = 0

    def begin(self, draft: Draft, epoch: int) -> None:
        """Write into this draft."""
        self._draft = draft
        self._epoch = epoch

    def accepted(self, decision: Decision, check: int, events: list[EventRecord], version: int | None) -> None:
        """The command gave these events; `version` is that of its own stream, None where it got none.

        check: CRC-32 of command name, a zero byte and payload. Raises EngineRejection `too_large`, or
        ProcessManagerFailed for what a process manager raises; nothing is written then.
        """
        draft, record, request = self._draft, decision.record, decision.request
        outbox = None if decision.heard is None else self._hear(record, decision.heard)
        if record.occurred_at is not None or record.expected_version is not None:
            check = with_expectations(check, record)
        entry = _encode(
            (
                "a",
                record.category,
                record.id,
                record.command,
                record.command_id,
                record.tenant,
                record.actor,
                decision.channel,
                record.correlation,
                record.causation,
                record.traceparent,
                record.occurred_at,
                check,
                record.origin,
                record.reply_to,
                events,
                () if outbox is None else outbox.records,
            )
        )
        size = len(entry)
        if size > self._bytes_max:
            raise EngineRejection("too_large", self._too_large(size))
        first = draft.index
        draft.entries.append(entry)
        draft.bytes += size + 1
        draft.index = first + (len(events) or 1)
        if outbox is not None or record.origin is not None or decision.key is not None:
            self._settle(decision, first, check, outbox)
        if request is not None:
            draft.answers.append(AcceptedAnswer(request, draft.index - 1, version, tuple(decision.shown or ())))

    def answered(self, request: Request, code: str, message: str, details: dict[str, Any] | None = None) -> None:
        """Answer a refusal that is not recorded."""
        self._draft.count("refused", code)
        self._draft.answers.append(PlainAnswer(request, CommandRejected(code, message, details, None)))

    def refused(self, decision: Decision, rejection: Rejection) -> None:
        """Record a refusal where it is one to record, and answer it."""
        record, code, draft = decision.record, str(rejection.code), self._draft
        message = str(rejection.message)[:MESSAGE_CHARACTERS_MAX]
        details = rejection.details if isinstance(rejection, WrongVersion) else None
        is_business = not isinstance(rejection, EngineRejection)
        is_carried = decision.source is not None or record.origin is not None
        if not (is_business or code in RECORDED_ENGINE_CODES or is_carried):
            if decision.request is not None:
                self.answered(decision.request, code, message, details)
            return
        outbox = self._tell_manager(decision, rejection) if is_business and record.origin is not None else None
        check = payload_check(record)
        payload = None if record.origin is None else _canonical(record.payload)
        source = None if is_business else decision.source
        entry_head = ("r", *_header(decision, check), code, message, details, payload, source)
        entry = _encode((*entry_head, () if outbox is None else outbox.records))
        if len(entry) > self._bytes_max:
            if decision.request is not None:
                self.answered(decision.request, "too_large", self._too_large(len(entry)))
                return
            outbox, entry = self._without_what_is_too_much(entry, entry_head)
        first = draft.index
        draft.record(entry, 1)
        draft.count("rejected", code)
        self._settle(decision, first, check, outbox)
        if decision.request is not None:
            draft.answers.append(RejectedAnswer(decision.request, draft.index - 1, code, message, details))

    def _without_what_is_too_much(self, entry: bytes, head: tuple[Any, ...]) -> tuple[None, bytes]:
        """A refusal that must be recorded, since its origin waits: without sends, and if need be without payload."""
        log.error("%s; the refusal is recorded without its sends", self._too_large(len(entry)), extra=self._fields())
        entry = _encode((*head, ()))
        if len(entry) > self._bytes_max:  # canonical numbers may be longer than those that came
            *before, _, source = head
            entry = _encode((*before, None, source, ()))
        return None, entry

    def forwarded(self, source: tuple[str, int], target: int) -> None:
        """A record of an input belongs to another shard; the relay takes its bytes there."""
        outbox = self._outbox()
        previous = outbox.place(target)
        self._draft.record(_encode(("f", *source, target, previous)), 1)
        self._draft.count("forwarded")
        self._draft.sends += 1
        self._state.sent |= outbox.moves

    def unreadable(self, input: str, offset: int, code: str, message: str) -> None:
        """A record of an input says no command."""
        self._draft.record(_encode(("x", input, offset, code, message[:MESSAGE_CHARACTERS_MAX])), 1)
        self._draft.count("unreadable", code)

    def _too_large(self, size: int) -> str:
        return (
            f"what comes of it takes {size} bytes of a frame, and {self._bytes_max} are allowed "
            "(half of frame_bytes_max): split the command"
        )

    def _fields(self) -> Fields:
        return {"journal": self._shard.journal, "shard": self._shard.number, "epoch": self._epoch}

    def _outbox(self) -> Outbox:
        draft, state = self._draft, self._state
        limits, shards = self._limits, self._shard.shards
        return Outbox(state.registry, shards, limits.nesting_max, state.sent, self._epoch, draft.seq, draft.sends)

    def _hear(self, record: CommandRecord, events: list[HeardEvent]) -> Outbox:
        """Run the process managers on the new events. Raises ProcessManagerFailed for whatever they raise."""
        outbox = self._outbox()
        for heard in events:
            recorded = self._recorded(record, heard)
            for manager, function in heard.type.managers:
                try:
                    outbox.take(manager.name, function(heard.event, recorded))
                except Rejection as rejection:
                    error = DomainError(f"it rejected an event ({rejection}), which has happened: send a command")
                    raise ProcessManagerFailed(manager.name, error) from rejection
                except BaseException as error:
                    raise ProcessManagerFailed(manager.name, error) from error
        self._check_sizes(record, outbox)
        return outbox

    def _check_sizes(self, record: CommandRecord, outbox: Outbox) -> None:
        """Refuse a send that its target would find too large: it could never be taken, nor any send behind it."""
        carried = (record.tenant, record.actor, record.correlation, record.command_id, record.traceparent)
        room = self._limits.command_bytes_max - SEND_BYTES - len(_encode(carried))
        for manager, category, id, command, payload, *_ in outbox.records:
            if len(payload) > room:
                raise EngineRejection(
                    "too_large",
                    f"process manager {manager!r} sends {command!r} to {category}/{id} with {len(payload)} bytes, and "
                    f"{max(0, room)} are left for it (command_bytes_max): let it send less",
                )

    def _tell_manager(self, decision: Decision, rejection: Rejection) -> Outbox | None:
        """The manager that sent the command hears of the rejection, and may send others."""
        record = decision.record
        origin = record.origin
        manager = None if origin is None else self._state.registry.managers.get(origin.manager)
        if manager is None or decision.command is None:
            return None
        function = manager.rejection_handlers.get(type(decision.command))
        if function is None:
            return None
        refused = Rejected(
            category=record.category,
            id=record.id,
            command=decision.command,
            code=rejection.code,
            message=rejection.message,
        )
        outbox = self._outbox()
        try:
            outbox.take(manager.name, function(refused))
            self._check_sizes(record, outbox)
        except BaseException:  # noqa: BLE001  # the domain's code; the rejection stands whatever its hearer does
            log.exception(
                "process manager %s raised on the rejection of %s for %s/%s; it is recorded without sends",
                manager.name,
                record.command,
                record.category,
                record.id,
                extra=self._fields(),
            )
            return None
        return outbox

    def _recorded(self, record: CommandRecord, heard: HeardEvent) -> Recorded:
        time = instant(self._draft.time)
        return Recorded(
            category=heard.category,
            id=heard.id,
            version=heard.version,
            time=time,
            occurred_at=time if record.occurred_at is None else instant(record.occurred_at),
            position=None,
            command_id=record.command_id,
            actor=record.actor,
            tenant=record.tenant,
            correlation_id=record.correlation or record.command_id,
            causation_id=record.causation,
        )

    def _settle(self, decision: Decision, first: int, check: int, outbox: Outbox | None) -> None:
        """What an entry moves beside streams: sends, the last send taken, the window."""
        draft, state = self._draft, self._state
        if outbox is not None:
            draft.sends += len(outbox.records)
            state.sent |= outbox.moves
        origin = decision.record.origin
        if origin is not None:
            at = (origin.epoch, origin.seq, origin.number)
            state.received[origin.shard] = draft.received[origin.shard] = at
        if decision.key is not None:
            if decision.channel in TIMED_CHANNELS:
                draft.keys[decision.key] = Known(first, check, max(draft.time, decision.issued or 0))
            else:
                draft.counted[decision.key] = Known(first, check, draft.time)


def _canonical(payload: msgspec.Raw) -> Any:
    """A command's JSON as it stands in a frame: without white space. None for what is none: its source has the
    bytes."""
    try:
        return msgspec.Raw(_encode(_decode(payload)))
    except (msgspec.MsgspecError, UnicodeError, TypeError, OverflowError, RecursionError):
        return None


def _header(decision: Decision, check: int) -> tuple[Any, ...]:
    """The fields that accepted and rejected entries share (C of the format)."""
    record = decision.record
    return (
        record.category,
        record.id,
        record.command,
        record.command_id,
        record.tenant,
        record.actor,
        decision.channel,
        record.correlation,
        record.causation,
        record.traceparent,
        record.occurred_at,
        check,
        record.origin,
        record.reply_to,
    )
