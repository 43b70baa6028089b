"""How many requests are taken in a second, from all clients together: what is beyond is answered 429."""

from __future__ import annotations

from aiolimiter import AsyncLimiter
from msgspec.structs import replace

from shardlog.gateway.problems import Problem, problem


class RequestRate:
    """A bucket that holds a second's requests, and leaks as fast. per_s_max: from 1 on. For one event loop."""

    def __init__(self, per_s_max: int) -> None:
        self._bucket = AsyncLimiter(per_s_max, 1)
        why = f"more than {per_s_max} requests a second (requests_per_s_max): nothing was done with this one"
        refusal = problem(429, "too_many_requests", f"{why}; send it again, with the same id, after the delay")
        self._refusal = replace(refusal, retry_after_ms=-(-1000 // per_s_max))

    async def take(self) -> Problem | None:
        """Count one more request; what to answer where it is one too many, and then it does not count."""
        if not self._bucket.has_capacity():
            return self._refusal
        await self._bucket.acquire()  # does not wait: there is room, and nothing ran in between
        return None
