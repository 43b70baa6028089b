"""Whether an id may name a stream of a category: its grammar, and the parts that it is routed by."""

from __future__ import annotations

from shardlog.errors import EngineRejection
from shardlog.executor.registry import Category
from shardlog.ids import check_stream_id


def check_address(category: Category, id: str) -> None:
    """Refuse an id that cannot be routed. Raises EngineRejection `invalid_id`."""
    parts = category.routing_parts
    check_stream_id(id, category.name)
    if parts is not None and id.count(":") + 1 < parts:
        raise EngineRejection("invalid_id", f"{id!r} has fewer than the {parts} parts that {category.name!r} routes by")
