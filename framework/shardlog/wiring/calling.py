"""What callers in the engine's own process ask of it: commands, from threads and event loops, and a stream's state."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from concurrent.futures import Future
from typing import Any, TypeVar, Unpack

from shardlog.client.commands import CommandOptions, command_record
from shardlog.errors import StreamUnreadable
from shardlog.executor.clock import World
from shardlog.executor.requests import Found, Read, Request, StreamState, Waiting
from shardlog.executor.sinks import LoopSink, ThreadSink
from shardlog.model.messages import Command, State
from shardlog.model.outcomes import Outcome
from shardlog.model.stream import Stream

CHANNEL = "local"
C = TypeVar("C", bound=Command)
S = TypeVar("S", bound=State)


class LocalCalls(ABC):
    """An engine's side towards its callers; which shard takes what they ask is its own to say."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._thread_sink = ThreadSink()
        self._loop_sinks: dict[asyncio.AbstractEventLoop, LoopSink] = {}

    @abstractmethod
    def _hand_in(self, stream: Stream[Any, Any, Any], waiting: Waiting) -> None:
        """Hand it to the stream's shard, or answer it."""

    def submit(self, stream: Stream[Any, C, Any], command: C, **options: Unpack[CommandOptions]) -> Future[Outcome]:
        """Hand in a command; the future holds its outcome once its frame is acknowledged."""
        future: Future[Outcome] = Future()
        record = command_record(stream, command, self._world.now_us(), options)
        self._hand_in(stream, Request(record, CHANNEL, self._thread_sink, future))
        return future

    def send(
        self,
        stream: Stream[Any, C, Any],
        command: C,
        *,
        timeout_s: float = 30.0,
        **options: Unpack[CommandOptions],
    ) -> Outcome:
        """`submit`, and wait. Raises TimeoutError: the outcome is unknown, send again under the same command id."""
        return self.submit(stream, command, **options).result(timeout_s)

    async def execute(self, stream: Stream[Any, C, Any], command: C, **options: Unpack[CommandOptions]) -> Outcome:
        """`submit` for callers in an event loop."""
        loop = asyncio.get_running_loop()
        sink = self._loop_sinks.get(loop)
        if sink is None:
            self._loop_sinks = {known: s for known, s in self._loop_sinks.items() if not known.is_closed()}
            sink = self._loop_sinks[loop] = LoopSink(loop)
        future: asyncio.Future[Outcome] = loop.create_future()
        record = command_record(stream, command, self._world.now_us(), options)
        self._hand_in(stream, Request(record, CHANNEL, sink, future))
        return await future

    def read(self, stream: Stream[S, Any, Any], *, timeout_s: float = 30.0) -> StreamState:
        """What the stream stands at, behind every command that was handed in before; acknowledged state.

        Raises TimeoutError, and StreamUnreadable where the shard is not served now.
        """
        future: Future[Found] = Future()
        read = Read(stream.aggregate.category, stream.id, self._thread_sink, future)
        self._hand_in(stream, read)
        found = future.result(timeout_s)
        if not isinstance(found, StreamState):
            raise StreamUnreadable(f"{stream} cannot be read: {found.message} ({found.code})")
        return found
