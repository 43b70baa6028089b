"""`POST /v1/streams/{category}/{id}/{command}`: one command."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping

import msgspec
from starlette.types import Receive, Scope, Send

from shardlog.executor.requests import RECORD_FORMAT, CommandRecord, Request
from shardlog.executor.sinks import LoopSink
from shardlog.gateway import heads
from shardlog.gateway.answers import of_command, respond
from shardlog.gateway.bodies import ClientGone, check_json, read_body
from shardlog.gateway.engine import Engine
from shardlog.gateway.settings import GatewaySettings
from shardlog.ids import uuid7
from shardlog.model.outcomes import CommandRejected, CommandUnavailable, Outcome

CHANNEL = "http"
_JSON = (b"application/json",)


def fresh_command_id() -> str:
    """An id for a command that came without one: whoever sends it again sends a second command."""
    return uuid7(time.time_ns() // 1000, os.urandom(10))


class CommandRoute:
    """Reads a command, hands it in, answers what came of it. settings: of the deadlines of body and outcome."""

    def __init__(self, engine: Engine, sink: LoopSink, bytes_max: int, settings: GatewaySettings) -> None:
        self._engine = engine
        self._sink = sink
        self._bytes_max = bytes_max
        self._receive_ms = settings.receive_deadline_ms
        self._answer_ms = settings.answer_deadline_ms

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Raises RequestRefused for one that cannot be read, or whose body is no JSON."""
        head = heads.read_head(scope["headers"])
        heads.check_media_type(head, _JSON)
        try:
            body = await read_body(receive, head, self._bytes_max, self._receive_ms)
        except ClientGone:
            return
        record = _record(scope["path_params"], head, body)
        outcome = await self._outcome(record)
        if isinstance(outcome, CommandRejected) and outcome.code == "invalid_command":
            check_json(body)  # now, so that nothing is decoded twice that is taken
        await respond(send, of_command(outcome))

    async def _outcome(self, record: CommandRecord) -> Outcome:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcome] = loop.create_future()
        deadline = loop.call_later(self._answer_ms / 1000, self._give_up, future)
        self._engine.submit(Request(record, CHANNEL, self._sink, future))
        outcome = await future
        deadline.cancel()
        return outcome

    def _give_up(self, future: asyncio.Future[Outcome]) -> None:
        if not future.done():
            why = f"no outcome after {self._answer_ms} ms; the command may have been applied"
            text = f"{why}: send it again with the same Idempotency-Key"
            future.set_result(CommandUnavailable("outcome_unknown", text, 0))


def _record(path: Mapping[str, str], head: Mapping[bytes, bytes], body: bytes) -> CommandRecord:
    """The record, with the body as it came: the shard decodes it, once."""
    return CommandRecord(
        RECORD_FORMAT,
        path["category"],
        path["id"],
        path["command"],
        heads.command_id(head) or fresh_command_id(),
        "",
        "",
        heads.text_id(head, heads.CORRELATION),
        heads.text_id(head, heads.CAUSATION),
        heads.traceparent(head),
        "",
        heads.expected_version(head),
        heads.occurred_at(head),
        msgspec.Raw(body),
    )
