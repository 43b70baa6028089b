"""`/health/live` and `/health/ready`: whether the process answers, and whether it takes commands."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from shardlog.codec.json import encode
from shardlog.gateway.engine import Engine

SERVING = "serving"


class HealthRoutes:
    """Both routes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.is_draining = False

    async def live(self, request: Request) -> Response:
        """200 as long as the process answers."""
        return Response(b'{"status":"live"}', media_type="application/json")

    async def ready(self, request: Request) -> Response:
        """200 where every shard is served and the process does not end; 503 otherwise. Modes by shard in both."""
        modes = self._engine.modes()
        is_ready = not self.is_draining and all(mode == SERVING for mode in modes.values())
        status = "draining" if self.is_draining else "ready" if is_ready else "not ready"
        body = encode({"status": status, "shards": {str(shard): mode for shard, mode in modes.items()}})
        return Response(body, 200 if is_ready else 503, media_type="application/json")
