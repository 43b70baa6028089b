"""What a stream stands at, for those who ask."""

from __future__ import annotations

from shardlog.errors import EngineRejection
from shardlog.executor.addresses import check_address
from shardlog.executor.registry import Registry
from shardlog.executor.requests import StreamState
from shardlog.executor.state import Shard
from shardlog.model.outcomes import CommandRejected
from shardlog.sharding import routing_key, shard_of


def found(registry: Registry, shard: Shard, category_name: str, id: str) -> StreamState | CommandRejected:
    """The stream's version and state; rejected where nothing can stand at this address here."""
    category = registry.categories.get(category_name)
    if category is None:
        known = ", ".join(sorted(registry.categories))
        return CommandRejected("unknown_command", f"no aggregate has the category {category_name[:80]!r}: {known}")
    slot = category.slot(id)
    if slot is not None:
        return StreamState(slot.version, slot.state)
    try:
        check_address(category, id)
    except EngineRejection as refusal:
        return CommandRejected(refusal.code, refusal.message)
    target = shard_of(routing_key(id, category.routing_parts), shard.shards)
    if target != shard.number:
        return CommandRejected("misrouted", f"{category_name}/{id} belongs to shard {target}: ask there")
    return StreamState(0, category.initial)
