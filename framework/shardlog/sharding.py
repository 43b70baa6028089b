"""From a stream id to its shard: the routing key, and the hash that the Java client of Kafka partitions by."""

from __future__ import annotations

from functools import lru_cache

HASH_NAME = "murmur2"
SHARDS_MAX = 10_000
_M = 0x5BD1E995


def routing_key(id: str, routing_parts: int | None) -> str:
    """The first `routing_parts` parts of the id; the whole id where that is None."""
    if routing_parts is None:
        return id
    if routing_parts == 1:
        return id.partition(":")[0]
    return ":".join(id.split(":", routing_parts)[:routing_parts])


def murmur2(data: bytes) -> int:
    """MurmurHash2, 32 bits, unsigned, with the seed of Kafka's Java client (`Utils.murmur2`)."""
    length = len(data)
    h = (0x9747B28C ^ length) & 0xFFFFFFFF
    whole = length & ~3
    for k in memoryview(data)[:whole].cast("I") if _LITTLE else _words(data, whole):
        k = (k * _M) & 0xFFFFFFFF
        h = ((h * _M) & 0xFFFFFFFF) ^ (((k ^ (k >> 24)) * _M) & 0xFFFFFFFF)
    rest = length - whole
    if rest:
        h = ((h ^ int.from_bytes(data[whole:], "little")) * _M) & 0xFFFFFFFF
    h = ((h ^ (h >> 13)) * _M) & 0xFFFFFFFF
    return h ^ (h >> 15)


def _words(data: bytes, whole: int) -> list[int]:
    return [int.from_bytes(data[i : i + 4], "little") for i in range(0, whole, 4)]


_LITTLE = memoryview(b"\x01\x00\x00\x00").cast("I")[0] == 1


@lru_cache(maxsize=1 << 16)
def shard_of(key: str, shards: int) -> int:
    """The shard of a routing key among `shards`: `(murmur2(key) & 0x7fffffff) mod shards`, as Kafka partitions keys."""
    return (murmur2(key.encode()) & 0x7FFFFFFF) % shards
