"""One step of one shard, in a thread that steps others too: what it raises is its own end and nobody else's."""

from __future__ import annotations

import logging

from shardlog.errors import ShardlogError
from shardlog.executor.shard import ShardExecutor

log = logging.getLogger("shardlog.executor")


def step_or_stop(shard: ShardExecutor) -> bool:
    """One step; a shard that raises stops, with that as its error."""
    try:
        return shard.step()
    except ShardlogError as error:
        shard.fail_for_good(error)
    except Exception as error:  # one shard's fault must not end the thread that serves the others
        log.exception("shard %d stopped on an unexpected error", shard.number, extra=shard.log_fields)
        shard.fail_for_good(error)
    return True
