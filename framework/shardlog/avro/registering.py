"""The schemas of an application in a registry: which are there, which would be new, and which it does not take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, TypeAlias

import msgspec

from shardlog.avro.messages import MessageAvro
from shardlog.avro.names import MessageName
from shardlog.avro.wire import subject
from shardlog.ports.schema_registry import SchemaRegistry

RegistrationState: TypeAlias = Literal["known", "new", "registered", "refused"]


class Registration(msgspec.Struct, frozen=True):
    """One schema. subject: TOPIC-FULLNAME. id: None where it has none yet. reason: why it is refused, else empty."""

    subject: str
    message: str
    state: RegistrationState
    id: int | None
    reason: str = ""


def register_all(
    registry: SchemaRegistry,
    messages: Iterable[MessageAvro[Any]],
    topic_of: Callable[[MessageName], str],
    *,
    is_dry: bool = False,
) -> Sequence[Registration]:
    """Register all that are not there yet, or none where one of them is refused. Idempotent.

    topic_of: the topic that a message goes through. is_dry: only say what would be done. Raises RegistryUnavailable,
    RegistryFailed, SchemaError.
    """
    planned = [(message, _planned(registry, message, topic_of(message.name))) for message in messages]
    if is_dry or any(one.state == "refused" for _, one in planned):
        return [one for _, one in planned]
    return [
        msgspec.structs.replace(one, state="registered", id=registry.register(one.subject, message.text))
        if one.state == "new"
        else one
        for message, one in planned
    ]


def _planned(registry: SchemaRegistry, message: MessageAvro[Any], topic: str) -> Registration:
    name, about = subject(topic, message.name), str(message.name)
    id = registry.find(name, message.text)
    if id is not None:
        return Registration(name, about, "known", id)
    reason = registry.incompatibility(name, message.text)
    return (
        Registration(name, about, "new", None) if reason is None else Registration(name, about, "refused", None, reason)
    )
