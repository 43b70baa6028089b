"""Records with header names that are no text, as a producer in C may write them; the Python client takes text alone."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

from confluent_kafka import cimpl

_PRODUCER = 0
_END, _TOPIC, _PARTITION, _VALUE, _KEY, _FLAGS, _HEADER = 0, 1, 3, 4, 5, 7, 9
_COPY = 2
FLUSH_MS = 30_000


def produce_raw(
    address: str, topic: str, partition: int, value: bytes, key: bytes, headers: Sequence[tuple[bytes, bytes]]
) -> None:
    """Append it by librdkafka itself; it stands there when this returns."""
    client = ctypes.CDLL(cimpl.__file__)  # and what that was linked with
    client.rd_kafka_conf_new.restype = client.rd_kafka_new.restype = ctypes.c_void_p
    said = ctypes.create_string_buffer(512)
    settings = ctypes.c_void_p(client.rd_kafka_conf_new())
    assert client.rd_kafka_conf_set(settings, b"bootstrap.servers", address.encode(), said, ctypes.c_size_t(512)) == 0
    producer = ctypes.c_void_p(client.rd_kafka_new(_PRODUCER, settings, said, ctypes.c_size_t(512)))
    assert producer, said.value
    named: list[object] = []
    for name, text in headers:
        named += [_HEADER, name, text, ctypes.c_ssize_t(len(text))]
    about = [_TOPIC, topic.encode(), _PARTITION, ctypes.c_int32(partition), _FLAGS, _COPY]
    content = [_VALUE, value, ctypes.c_size_t(len(value)), _KEY, key, ctypes.c_size_t(len(key))]
    assert client.rd_kafka_producev(producer, *about, *content, *named, _END) == 0
    assert client.rd_kafka_flush(producer, FLUSH_MS) == 0
    client.rd_kafka_destroy(producer)
