"""`POST /v1/commands`: a command a line, an answer a line, in the same order and with bounded memory.

Lines are handed in as they arrive, up to a window; answers go out as soon as all before them have. A client that reads
no answers is read no further once they fill their own bound.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import Any

import msgspec
from starlette.types import Receive, Scope, Send

from shardlog.executor.limits import Limits
from shardlog.executor.requests import NOT_DECODED, RECORD_FORMAT, CommandRecord, Request
from shardlog.gateway import heads
from shardlog.gateway.answers import of_line
from shardlog.gateway.commands import CHANNEL, fresh_command_id
from shardlog.gateway.engine import Engine
from shardlog.gateway.lines import Line, LineSplitter
from shardlog.gateway.settings import GatewaySettings
from shardlog.journal.records import Count
from shardlog.model.outcomes import CommandRejected, CommandUnavailable, Outcome

MEDIA_TYPES = (b"application/x-ndjson", b"application/ndjson", b"application/jsonl")
LINE_OVERHEAD_BYTES = 4_096
"""What a line holds beside its command: address, ids, names."""


class CommandLine(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A line: the fields of a command's record that a client may state. occurred_at: RFC 3339 with its zone."""

    category: str
    id: str
    command: str
    payload: msgspec.Raw
    command_id: str = ""
    expected_version: Count | None = None
    occurred_at: heads.Instant | None = None
    correlation: str = ""
    causation: str = ""
    traceparent: str = ""


class _Slot(msgspec.Struct, gc=False):
    """A line's place among the answers."""

    line: int
    command_id: str
    size: int
    outcome: Outcome | None = None


_decode = msgspec.json.Decoder(CommandLine).decode


class BatchRoute:
    """Serves batches, and ends them where the process drains."""

    def __init__(self, engine: Engine, limits: Limits, settings: GatewaySettings) -> None:
        self._engine = engine
        self._limits = limits
        self._settings = settings
        self._under_way: set[_Batch] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Raises RequestRefused for one of another media type."""
        heads.check_media_type(heads.read_head(scope["headers"]), MEDIA_TYPES)
        batch = _Batch(self._engine, self._limits, self._settings)
        self._under_way.add(batch)
        try:
            await batch.run(receive, send)
        finally:
            self._under_way.discard(batch)

    def drain(self) -> None:
        """Take no more lines; those that were taken are answered, and then each batch ends."""
        for batch in self._under_way:
            batch.stop()


class _Batch:
    """One request. It is the sink of its own lines: a frame's answers are one wake-up of the event loop."""

    def __init__(self, engine: Engine, limits: Limits, settings: GatewaySettings) -> None:
        self._engine = engine
        self._limits = limits
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._lines = LineSplitter(limits.command_bytes_max + LINE_OVERHEAD_BYTES)
        self._slots: deque[_Slot] = deque()
        self._taken = 0
        self._waiting_bytes = 0
        self._answers = bytearray()
        self._changed = asyncio.Event()
        self._has_room = asyncio.Event()
        self._reading: asyncio.Task[None]

    async def run(self, receive: Receive, send: Send) -> None:
        """Read and answer to the end."""
        self._reading = asyncio.create_task(self._read(receive))
        self._reading.add_done_callback(lambda _: self._changed.set())
        try:
            await self._write(send)
        finally:
            self._reading.cancel()
        if not self._reading.cancelled():
            self._reading.result()  # raises what went wrong while reading

    def stop(self) -> None:
        """Read no further."""
        self._reading.cancel()

    # -- answers come --------------------------------------------------------------------------------------------------
    def deliver(self, answers: list[tuple[Any, Any]], /) -> None:
        """Take a frame's outcomes. Called from the build thread; a loop that is closed has nobody who waits."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._resolve, answers)

    def _resolve(self, answers: list[tuple[_Slot, Outcome]]) -> None:
        for slot, outcome in answers:
            slot.outcome = outcome
        self._flush()

    def _flush(self) -> None:
        """Write the answers of the first lines, up to one that still waits."""
        slots = self._slots
        while slots and (outcome := slots[0].outcome) is not None:
            slot = slots.popleft()
            self._waiting_bytes -= slot.size
            self._answers += of_line(slot.line, slot.command_id, outcome)
        self._changed.set()
        self._has_room.set()

    # -- lines go in ---------------------------------------------------------------------------------------------------
    async def _read(self, receive: Receive) -> None:
        try:
            more = True
            while more:
                message = await receive()
                if message["type"] != "http.request":
                    return
                more = message.get("more_body", False)
                for line in self._lines.feed(message.get("body", b"")):
                    await self._take(line)
            for line in self._lines.end():
                await self._take(line)
        except asyncio.CancelledError:
            self._refuse_the_rest()
            raise

    async def _take(self, line: Line) -> None:
        while self._is_full():
            self._has_room.clear()
            await self._has_room.wait()
        self._taken = line.number
        outcome: Outcome
        if line.text is None:
            why = f"it takes {line.size} bytes, and {self._limits.command_bytes_max} are allowed (command_bytes_max)"
            outcome = CommandRejected("too_large", f"line {line.number}: {why}")
        else:
            try:
                record = _record(_decode(line.text))
            except (*NOT_DECODED, ValueError) as error:
                outcome = CommandRejected("invalid_command", f"line {line.number} is no command: {error}")
            else:
                slot = _Slot(line.number, record.command_id, line.size)
                self._slots.append(slot)
                self._waiting_bytes += line.size
                self._engine.submit(Request(record, CHANNEL, self, slot, is_decoded=True))
                return
        self._slots.append(_Slot(line.number, "", 0, outcome))
        self._flush()

    def _is_full(self) -> bool:
        settings = self._settings
        return (
            len(self._slots) >= settings.batch_lines_max
            or self._waiting_bytes >= settings.batch_lines_bytes_max
            or len(self._answers) >= settings.batch_answers_bytes_max
        )

    def _refuse_the_rest(self) -> None:
        next_line = self._taken + 1
        why = f"this process ends: line {next_line} and those behind it were not taken; send them again"
        outcome = CommandUnavailable("unavailable", why, self._limits.retry_after_ms)
        self._slots.append(_Slot(next_line, "", 0, outcome))
        self._flush()

    # -- answers go out ------------------------------------------------------------------------------------------------
    async def _write(self, send: Send) -> None:
        """Send what is there whenever it changes, until all lines are answered."""
        is_started = False
        while True:
            await self._changed.wait()
            self._changed.clear()
            is_last = self._reading.done() and not self._slots
            if not is_started and (self._answers or is_last):
                headers = [(b"content-type", MEDIA_TYPES[0])]
                await send({"type": "http.response.start", "status": 200, "headers": headers})
                is_started = True
            if self._answers or is_last:
                body = bytes(self._answers)
                self._answers.clear()
                self._has_room.set()
                await send({"type": "http.response.body", "body": body, "more_body": not is_last})
            if is_last:
                return


def _record(line: CommandLine) -> CommandRecord:
    """The record, the payload as it came. Raises ValueError for a time before 1970."""
    occurred_at = None if line.occurred_at is None else heads.microseconds(line.occurred_at)
    return CommandRecord(
        RECORD_FORMAT,
        line.category,
        line.id,
        line.command,
        line.command_id or fresh_command_id(),
        "",
        "",
        line.correlation,
        line.causation,
        line.traceparent if heads.is_traceparent(line.traceparent) else "",
        "",
        line.expected_version,
        occurred_at,
        line.payload,
    )
