"""Which member of a group should serve which shards: balanced, with few moves, and the same wherever it is asked. Pure.

Each member asks this for itself. Members that see the group differently for a moment want the same shard, or none does;
leases settle the one, and the next look the other.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping


def spread(members: Collection[str], shards: Collection[int], held: Mapping[int, str]) -> dict[int, str]:
    """By shard, the member that should serve it; nothing where there is no member.

    held: by shard, who serves it now. Members have as many shards as one another, or one more. As few shards as
    possible move, and the lowest ones stay. What is spread over the same members in the same way goes to the same ones,
    so that projections of one process read the same shards.
    """
    wanted = sorted(set(shards))
    ranked = sorted(set(members))
    if not ranked:
        return {}
    kept: dict[str, list[int]] = {member: [] for member in ranked}
    for shard in wanted:
        if held.get(shard) in kept:
            kept[held[shard]].append(shard)
    fewest, more = divmod(len(wanted), len(ranked))
    by_many = sorted(ranked, key=lambda member: -len(kept[member]))  # whoever holds more keeps the one more
    room = {member: fewest + (place < more) for place, member in enumerate(by_many)}
    owners = {shard: member for member in ranked for shard in kept[member][: room[member]]}
    free = iter([shard for shard in wanted if shard not in owners])
    for member in ranked:
        for _ in range(room[member] - len(kept[member])):
            owners[next(free)] = member
    return owners
