"""Who should own a shard, and who says that it does: two records of the control topic.

`["shardlog",1,"assignment",JOURNAL,SHARD,VERSION,OWNER]` with key `assignment/SHARD` is written by an operator alone.
`["shardlog",1,"owner",JOURNAL,SHARD,EPOCH,OWNER,ADDRESS]` with key `owner/SHARD` is a hint of the owner itself; a shard
that was released has the owner "" and the address "". Ownership is the claim in the journal and nothing else.
"""

from __future__ import annotations

from typing import Literal, TypeVar

import msgspec

from shardlog.errors import JournalMismatch
from shardlog.journal.envelope import FORMAT, check_address, format_of
from shardlog.journal.records import Count


class Assignment(msgspec.Struct, frozen=True):
    """Who should own a shard.

    journal: its id. shard: from 0. version: grows with each change, from 1. owner: a name.
    """

    journal: str
    shard: int
    version: int
    owner: str


class Announcement(msgspec.Struct, frozen=True):
    """Who says that it owns a shard. epoch: of its claim. owner, address: "" and "" where the shard was released."""

    journal: str
    shard: int
    epoch: int
    owner: str
    address: str

    @property
    def is_release(self) -> bool:
        """Whether nobody owns it now."""
        return not self.owner


class _AssignmentRecord(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    magic: Literal["shardlog"]
    format: Literal[1]
    kind: Literal["assignment"]
    journal: str
    shard: Count
    version: Count
    owner: str


class _OwnerRecord(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    magic: Literal["shardlog"]
    format: Literal[1]
    kind: Literal["owner"]
    journal: str
    shard: Count
    epoch: Count
    owner: str
    address: str


_encode = msgspec.json.Encoder().encode
_assignments = msgspec.json.Decoder(_AssignmentRecord)
_owners = msgspec.json.Decoder(_OwnerRecord)
R = TypeVar("R", _AssignmentRecord, _OwnerRecord)


def assignment_key(shard: int) -> str:
    """The key of a shard's assignment."""
    return f"assignment/{shard}"


def owner_key(shard: int) -> str:
    """The key of a shard's announcement."""
    return f"owner/{shard}"


def encode_assignment(assignment: Assignment) -> bytes:
    """The record's bytes."""
    a = assignment
    return _encode(_AssignmentRecord("shardlog", 1, "assignment", a.journal, a.shard, a.version, a.owner))


def encode_announcement(announcement: Announcement) -> bytes:
    """The record's bytes."""
    a = announcement
    return _encode(_OwnerRecord("shardlog", 1, "owner", a.journal, a.shard, a.epoch, a.owner, a.address))


def decode_assignment(value: bytes) -> Assignment:
    """The assignment of these bytes. Raises JournalMismatch for another format and for what is none."""
    record = _decoded(_assignments, "assignment", value)
    return Assignment(record.journal, record.shard, record.version, record.owner)


def decode_announcement(value: bytes) -> Announcement:
    """The announcement of these bytes. Raises JournalMismatch for another format and for what is none."""
    record = _decoded(_owners, "owner", value)
    return Announcement(record.journal, record.shard, record.epoch, record.owner, record.address)


def _decoded(decoder: msgspec.json.Decoder[R], what: str, value: bytes) -> R:
    version = format_of(value)
    if version is not None and version != FORMAT:
        raise JournalMismatch(
            f"the {what} record is of format {version}, and this code reads format {FORMAT}: deploy code that reads it"
        )
    try:
        record = decoder.decode(value)
        check_address(record.journal, record.shard, record.shard + 1)
    except (msgspec.DecodeError, ValueError) as error:
        raise JournalMismatch(
            f"the {what} record is none of format {FORMAT} ({error}): write it anew; it begins {value[:60]!r}"
        ) from error
    return record
