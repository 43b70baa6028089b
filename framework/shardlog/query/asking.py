"""Asking a reader, whose methods block, from an event loop: so many questions at once, one look for all who wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import ParamSpec, TypeVar

from shardlog.errors import InvalidToken, ProjectionError
from shardlog.model.projection import Projection
from shardlog.model.recorded import Position
from shardlog.ports.reading import ProjectionReader, Standing
from shardlog.query.problems import RequestRefused, of_error, unavailable

SLOT_WAIT_SECONDS = 1.0
LOOK_SECONDS = 0.02
TOKEN_CHARACTERS_MAX = 200
BESIDE = 2
"""Threads, and connections, beside those of questions: for looks at how far projections are."""
P = ParamSpec("P")
T = TypeVar("T")


class Asking:
    """Threads for a reader. queries_max: questions at once; others wait for a second, and are refused then."""

    def __init__(self, reader: ProjectionReader, projections: Sequence[Projection], queries_max: int) -> None:
        self._reader = reader
        self._projections = projections
        self._threads = ThreadPoolExecutor(queries_max + BESIDE, thread_name_prefix="shardlog-query")
        self._slots = asyncio.Semaphore(queries_max)
        self._queries_max = queries_max
        self._look: asyncio.Future[Mapping[str, Standing]] | None = None

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """The right to ask. Raises RequestRefused (503) where all are taken for too long."""
        try:
            async with asyncio.timeout(SLOT_WAIT_SECONDS):
                await self._slots.acquire()
        except TimeoutError:
            raise unavailable(
                f"{self._queries_max} questions are asked already (queries_max): ask again later"
            ) from None
        try:
            yield
        finally:
            self._slots.release()

    async def call(self, what: str, function: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
        """Run a function in a thread. Raises RequestRefused for what a reader raises."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, lambda: function(*given, **named))
        except ProjectionError as error:
            raise of_error(error, what) from error

    async def standings(self) -> Mapping[str, Standing]:
        """How far projections are: of a look under way, where there is one."""
        if self._look is None or self._look.done():
            what = "how far projections are"
            self._look = asyncio.ensure_future(self.call(what, self._reader.standings, self._projections))
        return await asyncio.shield(self._look)

    async def reach(self, names: Sequence[str], tokens: Sequence[str], wait_ms: int) -> None:
        """Wait until these projections have what the tokens say.

        Raises RequestRefused: 400 for what is no token or another journal's, 503 where it takes longer or one stopped.
        """
        positions = [position_of(token) for token in tokens]
        give_up = time.monotonic() + wait_ms / 1000
        while positions:
            standings = await self.standings()
            behind = [name for name in names if not _has_reached(name, standings.get(name), positions)]
            if not behind:
                return
            if time.monotonic() >= give_up:
                raise unavailable(_not_reached(behind, standings, wait_ms))
            await asyncio.sleep(LOOK_SECONDS)

    def close(self) -> None:
        """End the threads, when they have done what they do."""
        self._threads.shutdown()


def position_of(token: str) -> Position:
    """Raises RequestRefused for a text that is no token."""
    try:
        if len(token) > TOKEN_CHARACTERS_MAX:
            raise InvalidToken(f"a token is at most {TOKEN_CHARACTERS_MAX} characters long, and this is {len(token)}")
        return Position.parse(token)
    except InvalidToken as error:
        raise RequestRefused(400, "invalid_token", str(error)) from None


def _not_reached(behind: Sequence[str], standings: Mapping[str, Standing], wait_ms: int) -> str:
    """Of several projections, one that is paused: waiting for the others is in vain before it is resumed."""
    for name in behind:
        if (standing := standings.get(name)) is not None and standing.is_paused:
            return (
                f"projection {name!r} has not reached the token within {wait_ms} ms, and is paused: it goes on when "
                "whoever runs it resumes it"
            )
    return f"projection {behind[0]!r} has not reached the token within {wait_ms} ms: ask again, or look at its lag"


def _has_reached(name: str, standing: Standing | None, positions: Sequence[Position]) -> bool:
    """Raises RequestRefused where it never will, as things are."""
    if standing is None:
        return False
    read = {(place.journal, place.shard): place.next for place in standing.positions}
    for position in positions:
        for place in standing.positions:
            if place.journal != position.journal:
                why = f"the token is of journal {position.journal}, and projection {name!r} reads {place.journal}"
                raise RequestRefused(400, "invalid_token", why)
            if position.shard >= place.shards:
                why = f"the token is of shard {position.shard}, and the journal has {place.shards}, from 0"
                raise RequestRefused(400, "invalid_token", why)
    if all(read.get((p.journal, p.shard), 0) > p.offset for p in positions):
        return True
    if standing.stopped:
        raise unavailable(f"projection {name!r} is stopped before the token: whoever runs it sees why")
    return False
