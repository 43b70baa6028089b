"""Records of what executors say of themselves: their bytes, and what is refused."""

from __future__ import annotations

import pytest

from shardlog.errors import JournalMismatch
from shardlog.journal.presence import Presence, decode_presence, encode_presence, is_presence_key, presence_key

JOURNAL = "018f3c2e-7b1a-7c3d-9e4f-5a6b7c8d9e0f"
PRESENCE = Presence(JOURNAL, "executor-7", 1_700_000_000_000_001, "started")
BYTES = b'["shardlog",1,"executor","018f3c2e-7b1a-7c3d-9e4f-5a6b7c8d9e0f","executor-7",1700000000000001,"started"]'


def test_a_presence_has_these_bytes() -> None:
    assert presence_key("executor-7") == "executor/executor-7"
    assert is_presence_key("executor/executor-7")
    assert not is_presence_key("owner/7")
    assert encode_presence(PRESENCE) == BYTES
    assert decode_presence(BYTES) == PRESENCE


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (BYTES.replace(b'"shardlog",1', b'"shardlog",2'), "of format 2"),
        (BYTES.replace(b'"started"', b'"asleep"'), "none of format 1"),
        (b"garbage", "it begins b'garbage'"),
    ],
)
def test_what_is_none_is_refused(changed: bytes, said: str) -> None:
    with pytest.raises(JournalMismatch, match=said):
        decode_presence(changed)
