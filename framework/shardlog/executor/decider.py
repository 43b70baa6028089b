"""The way of one command through a shard: known id, address, payload, decision, entry.

Nothing is written before decide, every evolve and every process manager have succeeded, so a command that is refused
or raises leaves no trace.
"""

from __future__ import annotations

from collections import deque
from hashlib import blake2b
from typing import cast
from zlib import crc32

import msgspec

from shardlog.codec.unknown_fields import with_near_field
from shardlog.errors import DomainError, EngineRejection, Rejection, check_code
from shardlog.executor.addresses import check_address
from shardlog.executor.carried import Carried
from shardlog.executor.deciding import EventRecord, record_event
from shardlog.executor.decision import Decision, check_version, instant, internal_error
from shardlog.executor.draft import Draft, PlainAnswer
from shardlog.executor.entries import Entries
from shardlog.executor.limits import Limits
from shardlog.executor.nesting import is_nested_deeper
from shardlog.executor.reading import found
from shardlog.executor.registry import BUCKET_MASK, Category, Handler
from shardlog.executor.repeats import Repeats
from shardlog.executor.requests import (
    NOT_DECODED,
    CommandRecord,
    Read,
    Request,
    Waiting,
    decode_record,
    validated,
    why_undecodable,
)
from shardlog.executor.state import Shard, ShardState
from shardlog.executor.transaction import ShardTransaction
from shardlog.executor.window import COUNTED_CHANNEL, window_key
from shardlog.ids import COMMAND_ID_CHARACTERS_MAX, in_words, is_command_id, time_in_id, uuid8
from shardlog.model.context import Context
from shardlog.model.messages import Command
from shardlog.model.upcasting import as_events
from shardlog.ports.inputs import UnreadableRecord
from shardlog.sharding import routing_key, shard_of
from shardlog.snapshots.slot import Slot
from shardlog.telemetry.fields import Fields

MANAGER_CHANNEL = "manager"
ORIGIN_BYTES = 512
"""What a relay may add to a record that it forwards: its origin, and a command id that it had not."""
_COMMAND_ID = f"a command id is 1 to {COMMAND_ID_CHARACTERS_MAX} printable characters"


class Decider:
    """Decides commands one by one into the draft that was begun last."""

    def __init__(self, state: ShardState, pending: deque[Draft], shard: Shard, limits: Limits) -> None:
        self._state = state
        self._shard = shard
        self._bytes_max = limits.command_bytes_max
        self._nesting_max = limits.nesting_max
        self._handlers = state.registry.handlers
        self._repeats = Repeats(state, pending, limits)
        self._entries = Entries(state, shard, limits)
        self._carried = Carried(state, shard)
        self._epoch = 0
        self._about: Fields = {"journal": shard.journal, "shard": shard.number}
        self._seed = b""
        self._draft: Draft

    def owned(self, epoch: int, nonce: str) -> None:
        """What the seeds of decisions begin with from here on."""
        self._epoch = epoch
        self._about["epoch"] = epoch
        self._seed = f"{self._shard.journal},{self._shard.number},{epoch},{nonce},".encode()

    def begin(self, draft: Draft) -> None:
        """Decide into this draft."""
        self._draft = draft
        self._entries.begin(draft, self._epoch)

    def waiting(self, request: Waiting) -> None:
        """A command, or a question for a stream's state, of somebody who waits."""
        if isinstance(request, Read):
            state = found(self._state.registry, self._shard, request.category, request.id)
            self._draft.answers.append(PlainAnswer(request, state))
        else:
            self._request(request)

    def _request(self, request: Request) -> None:
        record = request.record
        try:
            size = len(record.payload)
            if size > self._bytes_max:
                self._entries.answered(request, "too_large", self._too_large(size))
                return
            if not request.is_decoded:
                record = validated(record)
                request = msgspec.structs.replace(request, record=record)
        except (ValueError, TypeError) as error:  # before anything rests on it: what is recorded must be readable
            self._entries.answered(request, "invalid_command", f"a field of it cannot be recorded: {error}")
            return
        if record.origin is not None:
            self._entries.answered(request, "invalid_command", "an origin is for what a relay carries: leave it out")
        elif not is_command_id(record.command_id):
            self._entries.answered(request, "invalid_command", _COMMAND_ID)
        else:
            key = window_key(record.tenant, record.category, record.id, record.command_id)
            issued = time_in_id(record.command_id)
            if not self._repeats.is_answered(request, key, issued, self._draft):
                self._decide(Decision(record, request.channel, None, request, key, None, [], None, issued))

    def send(self, value: bytes) -> None:
        """A send that a relay carried here. Raises ValueError for what no frame can have held: the relay is wrong."""
        try:
            record = decode_record(value)
        except NOT_DECODED as error:
            raise ValueError(f"a relay brought {value[:80]!r} to shard {self._shard.number}: {error}") from error
        origin = record.origin
        if origin is None or not record.command_id:
            raise ValueError(f"a relay brought {value[:80]!r} to shard {self._shard.number} without origin or id")
        if self._carried.is_new(origin, self._draft):
            self._decide(Decision(record, MANAGER_CHANNEL, None, None, None))

    def input_record(self, name: str, channel: str, offset: int, value: bytes, carries_sends: bool = False) -> None:
        """A record of an input. Whatever it holds, it is settled: nothing sticks the shard."""
        if len(value) > self._bytes_max and not (carries_sends and self._is_forwarded(value)):
            self._entries.unreadable(name, offset, "too_large", self._too_large(len(value)))
            return
        try:
            record = decode_record(value)
        except NOT_DECODED as error:
            why = value.reason if isinstance(value, UnreadableRecord) else why_undecodable(error)
            self._entries.unreadable(name, offset, "undecodable", why)
            return
        key = None
        if record.origin is not None or channel != "feeder" or not record.command_id:
            if record.origin is not None and not carries_sends:
                why = "an origin is for what a relay carries: leave it out"
                self._entries.unreadable(name, offset, "undecodable", why)
                return
            record = self._identified(record, name, offset)
            if record.origin is not None:
                channel = MANAGER_CHANNEL
                if not self._carried.is_new(record.origin, self._draft):
                    return
            elif channel == COUNTED_CHANNEL:
                key = window_key(record.tenant, record.category, record.id, record.command_id)
                if self._repeats.is_counted_repeat(key, self._draft):
                    self._draft.count("repeated")
                    return
        self._decide(Decision(record, channel, (name, offset), None, key))

    def _is_forwarded(self, value: bytes) -> bool:
        """Whether it is no larger than a record may be, but for what a relay gave it on its way."""
        if len(value) > self._bytes_max + ORIGIN_BYTES:
            return False
        try:
            return decode_record(value).origin is not None
        except NOT_DECODED:
            return False

    def _identified(self, record: CommandRecord, input: str, offset: int) -> CommandRecord:
        """The record with a command id: its own, or one drawn from where it stands."""
        if record.command_id:
            return record
        return msgspec.structs.replace(record, command_id=uuid8(input, self._shard.number, offset))

    def _decide(self, decision: Decision) -> None:
        """Decide a command that is no repeat, and record what comes of it."""
        record = decision.record
        id = record.id
        handler = self._handlers.get((record.category, record.command))
        try:
            if handler is None:
                raise EngineRejection("unknown_command", self._unknown(record))
            index = hash(id) & BUCKET_MASK
            slot = handler.category.buckets[index].get(id)
            if slot is None and not self._is_ours(handler.category, decision):
                return
            command = decision.command = self._command(record, handler, decision.request is not None)
            if record.expected_version is not None:
                check_version(record.expected_version, slot)
            if handler.is_transaction:
                self._transact(decision, handler, command)
            else:
                self._single(decision, handler, command, index, slot)
        except EngineRejection as rejection:
            self._refused(decision, rejection)
        except Rejection as rejection:
            why = check_code(rejection.code)
            if why is None:
                self._refused(decision, rejection)
            else:
                error = DomainError(f"it rejects with the code {rejection.code!a}: {why}")
                self._refused(decision, internal_error(cast("Handler", handler), record, self._about, error))
        except BaseException as error:  # noqa: BLE001  # whatever the domain's code raises, the shard lives on
            self._refused(decision, internal_error(cast("Handler", handler), record, self._about, error))

    def _command(self, record: CommandRecord, handler: Handler, is_request: bool) -> Command:
        """The typed command. Raises EngineRejection `invalid_command`."""
        if not (is_request or is_command_id(record.command_id)):
            raise EngineRejection("invalid_command", _COMMAND_ID)
        if (handler.is_recursive or record.origin is not None) and is_nested_deeper(record.payload, self._nesting_max):
            raise EngineRejection(
                "invalid_command",
                f"{record.category}/{record.command}: its payload is nested more than {self._nesting_max} levels deep "
                "(nesting_max): send less, or flatter",
            )
        try:
            return handler.decode(record.payload)
        except NOT_DECODED as error:
            why = in_words(with_near_field(error, handler.command))
            raise EngineRejection("invalid_command", f"{record.category}/{record.command}: {why}") from None

    def _refused(self, decision: Decision, rejection: Rejection) -> None:
        """Record or answer a refusal, also one whose text, or whose command's, cannot be written."""
        try:
            self._entries.refused(decision, rejection)
        except UnicodeEncodeError as error:
            if decision.request is None:  # its record was UTF-8, so the rejection's own text is at fault
                text = f"the refusal {rejection.code!a} says {rejection.message!a}, which is no text: {error}"
                self._entries.refused(decision, EngineRejection("internal_error", text))
            else:
                self._entries.answered(decision.request, "invalid_command", f"a field of it is no text: {error}")

    def _single(self, decision: Decision, handler: Handler, command: Command, index: int, slot: Slot | None) -> None:
        """A command over one stream, which is in the bucket of this index."""
        category, record = handler.category, decision.record
        id, types = record.id, category.events
        if slot is None:
            version, state = 0, category.initial
        else:
            version, state = slot.version, slot.state
        if handler.wants_context:
            result = handler.decide(state, command, self._context(decision, version))
        else:
            result = handler.decide(state, command)
        if result is None and not handler.returns_nothing:
            raise DomainError(
                f"{handler.decide.__name__} returned None and does not declare it (a forgotten `return`?)"
            )
        events: list[EventRecord] = []
        for event in (result,) if type(result) in types else as_events(result):
            version += 1
            written, event, type_, state = record_event(category, id, version, state, event)
            events.append(written)
            if decision.shown is not None:
                decision.shown.append(event)
            if type_.managers:
                decision.note(category.name, id, version, event, type_)
        self._entries.accepted(decision, crc32(record.payload, handler.check), events, version if events else None)
        if events:
            self._draft.undo.append((category, id, slot))
            if category.held.marks[index]:
                category.held.overwritten[index].setdefault(id, slot)
            category.buckets[index][id] = Slot(version, state)

    def _transact(self, decision: Decision, handler: Handler, command: Command) -> None:
        """A command over several streams of one routing key."""
        transaction = ShardTransaction(self._state.registry, handler.category, decision, self._context)
        handler.decide(transaction, command)
        own = transaction.own
        check = crc32(decision.record.payload, handler.check)
        self._entries.accepted(decision, check, transaction.events, own.version if own.was_appended_to else None)
        undo = self._draft.undo
        for loaded in transaction.touched.values():
            if loaded.was_appended_to:
                category, id, index, slot = loaded.category, loaded.id, loaded.index, loaded.slot
                undo.append((category, id, slot))
                held = category.held
                if held.marks[index]:
                    held.overwritten[index].setdefault(id, slot)
                category.buckets[index][id] = Slot(loaded.version, loaded.state)

    def _context(self, decision: Decision, version: int) -> Context:
        draft, record = self._draft, decision.record
        time = instant(draft.time)
        place = b"%d,%d" % (draft.seq, len(draft.entries))
        return Context(
            id=record.id,
            version=version,
            time=time,
            occurred_at=time if record.occurred_at is None else instant(record.occurred_at),
            command_id=record.command_id,
            actor=record.actor,
            tenant=record.tenant,
            correlation_id=record.correlation or record.command_id,
            seed=blake2b(self._seed + place, digest_size=32).digest(),
        )

    def _is_ours(self, category: Category, decision: Decision) -> bool:
        """Check an address not seen before; a misrouted record of an input is forwarded. Raises Rejection."""
        record = decision.record
        check_address(category, record.id)
        target = shard_of(routing_key(record.id, category.routing_parts), self._shard.shards)
        if target == self._shard.number:
            return True
        if decision.source is None or record.origin is not None:
            raise EngineRejection(
                "misrouted",
                f"{category.name}/{record.id} belongs to shard {target}, and this is shard {self._shard.number} of "
                f"{self._shard.shards}: send it there",
            )
        self._entries.forwarded(decision.source, target)
        return False

    def _too_large(self, size: int) -> str:
        return f"the command takes {size} bytes, and {self._bytes_max} are allowed (command_bytes_max)"

    def _unknown(self, record: CommandRecord) -> str:
        if record.category not in self._state.registry.categories:
            known = ", ".join(sorted(self._state.registry.categories))
            return f"no aggregate has the category {record.category[:80]!r}; there are: {known}"
        known = ", ".join(sorted(name for category, name in self._handlers if category == record.category))
        return f"aggregate {record.category!r} has no command {record.command[:80]!r}; it has: {known}"
