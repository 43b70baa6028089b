"""The reader's rules R1 to R6, the order of verdicts, and what a checkpoint holds (C1, C2)."""

from __future__ import annotations

import pytest

from shardlog.errors import Diverged, UnknownFormat
from shardlog.journal.chain import head0, next_head
from shardlog.journal.envelope import INTEGER_MAX
from shardlog.journal.reader import ClaimTaken, FrameTaken, Invalid, Reader, check_reach
from tests.unit.journal.driven_shard import JOURNAL, SHARDS, claim, frame, nonce, reader_at

OTHER_JOURNAL = "11111111-2222-4333-8444-555555555555"


def serving() -> Reader:
    """A reader in epoch 1 that has passed one frame."""
    reader = reader_at(claim(1, 1))
    reader.pass_over(1, frame(reader.state))
    return reader


# -- R1 --------------------------------------------------------------------------------------------------------------
def test_r1_a_claim_of_the_next_epoch_is_valid_and_brings_its_epoch_and_nonce() -> None:
    reader = Reader(JOURNAL, 0, SHARDS)
    verdict = reader.pass_over(0, claim(1, 7))
    assert isinstance(verdict, ClaimTaken)
    assert (verdict.epoch, verdict.nonce) == (1, nonce(7))
    assert (reader.epoch, reader.nonce, reader.seq) == (1, nonce(7), 0)


def test_r1_seq_begins_again_with_each_claim() -> None:
    reader = serving()
    reader.pass_over(2, claim(2, 2))
    assert reader.seq == 0
    assert isinstance(reader.pass_over(3, frame(reader.state, seq=1)), FrameTaken)


@pytest.mark.parametrize("epoch", [1, 3, 4, INTEGER_MAX])
def test_r1_a_claim_of_any_other_epoch_is_invalid(epoch: int) -> None:
    reader = serving()
    assert reader.pass_over(2, claim(epoch, 2)) == Invalid("epoch")
    assert reader.epoch == 1


def test_r1_of_two_claims_of_one_epoch_the_first_wins() -> None:
    reader = reader_at(claim(1, 1), claim(1, 2))
    assert reader.nonce == nonce(1)


def test_r1_a_claim_that_lands_twice_counts_once() -> None:
    reader = serving()
    before = reader.state
    assert reader.pass_over(2, claim(1, 1)) == Invalid("epoch")
    assert reader.state == before._replace(next=3)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (claim(1, 1, journal=OTHER_JOURNAL), "journal"),
        (claim(1, 1, shard=1), "shard"),
        (claim(1, 1, shards=8), "shards"),
    ],
)
def test_r1_a_claim_of_another_journal_shard_or_number_of_shards_is_invalid(value: bytes, reason: str) -> None:
    reader = Reader(JOURNAL, 0, SHARDS)
    assert reader.pass_over(0, value) == Invalid(reason)
    assert reader.epoch == 0


# -- R2 --------------------------------------------------------------------------------------------------------------
def test_r2_a_frame_counts_if_epoch_nonce_seq_and_prev_are_the_next_ones() -> None:
    reader = serving()
    verdict = reader.pass_over(2, frame(reader.state))
    assert isinstance(verdict, FrameTaken)
    assert bytes(verdict.body).startswith(b"[1,{},[[")
    assert reader.seq == 2


def test_r2_a_frame_before_the_first_claim_never_counts() -> None:
    reader = Reader(JOURNAL, 0, SHARDS)
    forged = frame(reader.state, epoch=0)
    assert f'"",1,"{reader.head}",'.encode() in forged  # epoch 0, nonce "", seq 1 and the first head
    assert reader.pass_over(0, forged) == Invalid("malformed")
    assert reader.pass_over(1, frame(reader.state, epoch=1, number=1)) == Invalid("epoch")


def test_r2_a_frame_counts_only_if_its_epoch_is_current() -> None:
    reader = serving()
    assert reader.pass_over(2, frame(reader.state, epoch=2)) == Invalid("epoch")


def test_r2_a_frame_counts_only_if_its_nonce_is_current() -> None:
    reader = serving()
    assert reader.pass_over(2, frame(reader.state, number=9)) == Invalid("nonce")


@pytest.mark.parametrize("seq", [1, 3, 4])
def test_r2_a_frame_counts_only_if_its_seq_is_the_next(seq: int) -> None:
    reader = serving()
    assert reader.pass_over(2, frame(reader.state, seq=seq)) == Invalid("seq")


def test_r2_a_frame_that_lands_twice_counts_once() -> None:
    reader = serving()
    value = frame(reader.state)
    reader.pass_over(2, value)
    assert reader.pass_over(3, value) == Invalid("seq")
    assert reader.seq == 2


def test_r2_a_frame_of_an_owner_that_was_deposed_does_not_count() -> None:
    reader = serving()
    late = frame(reader.state)
    reader.pass_over(2, claim(2, 2))
    assert reader.pass_over(3, late) == Invalid("epoch")


# -- R3 --------------------------------------------------------------------------------------------------------------
def test_r3_an_invalid_record_moves_the_position_and_nothing_else() -> None:
    reader = serving()
    before = reader.state
    reader.pass_over(2, b"anything")
    assert reader.state == before._replace(next=3)


def test_r3_invalid_records_are_counted_by_reason() -> None:
    reader = serving()
    for offset, value in enumerate([b"", b"x", claim(1, 1), frame(reader.state, seq=9)], 2):
        reader.pass_over(offset, value)
    assert {reason: n for reason, n in reader.invalid.items() if n} == {"foreign": 2, "epoch": 1, "seq": 1}


def test_r3_all_readers_agree_whatever_lies_between() -> None:
    first = claim(1, 1)
    state = reader_at(first).state
    clean = reader_at(first, frame(state))
    noisy = reader_at(b"x", claim(2, 5), first, first, frame(state, seq=2), claim(1, 3), frame(state), frame(state))
    assert (noisy.head, noisy.epoch, noisy.nonce, noisy.seq) == (clean.head, clean.epoch, clean.nonce, clean.seq)


# -- R4 --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("version", [0, 2, 10, INTEGER_MAX])
def test_r4_another_format_stops_the_reader(version: int) -> None:
    reader = serving()
    before = reader.state
    with pytest.raises(UnknownFormat, match=f"format {version}") as caught:
        reader.pass_over(2, b'["shardlog",%d,"frame"]' % version)
    assert (caught.value.shard, caught.value.offset) == (0, 2)
    assert reader.state == before


def test_r4_a_valid_envelope_whose_body_is_no_array_stops_the_reader() -> None:
    reader = serving()
    value = frame(reader.state)
    start = value.index(b"[1,{}")
    before = reader.state
    for broken in (value + b" ", value[:start] + b"{}]", value[:start] + b"[", value[:start]):
        with pytest.raises(UnknownFormat):
            reader.pass_over(2, broken)
        assert reader.state == before


def test_r4_a_valid_claim_whose_body_is_no_array_stops_the_reader() -> None:
    reader = serving()
    with pytest.raises(UnknownFormat):
        reader.pass_over(2, claim(2, 2)[:-1])


# -- R5 --------------------------------------------------------------------------------------------------------------
def test_r5_a_higher_offset_proves_a_hole_and_is_read() -> None:
    reader = serving()
    assert isinstance(reader.pass_over(700, frame(reader.state)), FrameTaken)
    assert reader.position == 701


def test_r5_an_offset_that_was_passed_is_refused() -> None:
    reader = serving()
    with pytest.raises(ValueError, match=r"passed before"):
        reader.pass_over(1, b"x")


# -- R6 --------------------------------------------------------------------------------------------------------------
def test_r6_a_frame_of_which_prev_alone_differs_says_diverged() -> None:
    reader = serving()
    before = reader.state
    with pytest.raises(Diverged, match=r"lost or altered") as caught:
        reader.pass_over(2, frame(before, prev="ab" * 32))
    assert (caught.value.shard, caught.value.offset) == (0, 2)
    assert reader.state == before


def test_r6_history_that_was_altered_is_noticed_at_the_next_frame() -> None:
    first = claim(1, 1)
    state = reader_at(first).state
    original, altered = frame(state, "a"), frame(state, "b")
    follows = frame(reader_at(first, original).state)
    with pytest.raises(Diverged):
        reader_at(first, altered, follows)


def test_r6_does_not_hold_where_seq_differs_too() -> None:
    reader = serving()
    assert reader.pass_over(2, frame(reader.state, prev="ab" * 32, seq=3)) == Invalid("seq")


# -- the order of verdicts -------------------------------------------------------------------------------------------
def test_the_verdict_names_the_first_thing_that_differs() -> None:
    reader = serving()
    state = reader.state
    everything = {
        "journal": OTHER_JOURNAL,
        "shard": 1,
        "shards": 8,
        "epoch": 9,
        "number": 9,
        "seq": 9,
        "prev": "ab" * 32,
    }
    named = []
    while len(everything) > 1:
        verdict = reader.judge(2, frame(state, **everything))  # type: ignore[arg-type]  # each by its own type
        assert isinstance(verdict, Invalid)
        named.append(verdict.reason)
        everything.pop(next(iter(everything)))
    assert named == ["journal", "shard", "shards", "epoch", "nonce", "seq"]


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"[",
        b"null",
        b'["shardlog"',
        b'["shardlog",1',
        b'["shardlog", 1,"frame"]',
        b' ["shardlog",1,"frame"]',
        b'["shardlog",01,"frame"]',
        b'["shardlog",-1,"frame"]',
        b'["shardlog",1.0,"frame"]',
        b'["shardlog","1","frame"]',
        b'["Shardlog",1,"frame"]',
        b'["shardlog",9007199254740992,"frame"]',
        b"\xff\xfe",
    ],
)
def test_what_does_not_begin_as_a_record_of_shardlog_is_foreign(value: bytes) -> None:
    assert serving().judge(2, value) == Invalid("foreign")


def malformed_frames() -> list[bytes]:
    value = frame(serving().state)
    return [
        value.replace(b'"frame"', b'"note"'),
        value.replace(b'"frame"', b'"meta"'),
        value.replace(JOURNAL.encode(), JOURNAL.upper().encode()),
        value.replace(JOURNAL.encode(), JOURNAL[:-1].encode()),
        value.replace(b'",0,4,1,', b'",00,4,1,'),
        value.replace(b'",0,4,1,', b'",0,0,1,'),
        value.replace(b'",0,4,1,', b'",0,4,0,'),
        value.replace(b'",0,4,1,', b'",0,4,-1,'),
        value.replace(b'",0,4,1,', b'",0,4,9007199254740992,'),
        value.replace(nonce(1).encode(), b"A" * 32),
        value.replace(nonce(1).encode(), nonce(1)[1:].encode()),
        value.replace(b'",2,"', b'",0,"'),
        value.replace(serving().head.encode(), b""),
        value.replace(serving().head.encode(), serving().head.upper().encode()),
        value[:60],
        b'["shardlog",1,',
        claim(2, 2).replace(b',0,"",', b',1,"",'),
        claim(2, 2).replace(b',0,"",', b',0,"%b",' % (b"ab" * 32)),
        claim(2, 2).replace(b',0,"",', b",0,null,"),
    ]


@pytest.mark.parametrize("value", malformed_frames())
def test_what_has_no_envelope_is_malformed(value: bytes) -> None:
    assert serving().judge(2, value) == Invalid("malformed")


def test_a_verdict_does_not_look_at_the_body() -> None:
    reader = serving()
    value = frame(reader.state)
    start = value.index(b"[1,{}")
    assert isinstance(reader.judge(2, value[:start] + b"[nonsense]]"), FrameTaken)


def test_judging_moves_nothing() -> None:
    reader = serving()
    before = reader.state
    reader.judge(2, frame(before))
    reader.judge(2, claim(2, 2))
    reader.judge(2, b"x")
    assert reader.state == before


# -- the head --------------------------------------------------------------------------------------------------------
def test_the_head_runs_over_valid_claims_and_frames_alone() -> None:
    first = claim(1, 1)
    head = next_head(head0(JOURNAL, 0, SHARDS), first)
    second = frame(reader_at(first).state)
    assert reader_at(first, b"x", second, second).head == next_head(head, second).hex()


def test_no_two_shards_begin_with_the_same_head() -> None:
    heads = {
        head0(journal, shard, shards)
        for journal in (JOURNAL, OTHER_JOURNAL)
        for shard, shards in ((0, 1), (0, 4), (1, 4), (1, 14), (11, 14))
    }
    assert len(heads) == 10


# -- C1, C2 ----------------------------------------------------------------------------------------------------------
def test_c1_a_reader_made_from_a_stored_state_goes_on_as_the_first_would() -> None:
    first = claim(1, 1)
    values = [first, frame(reader_at(first).state), b"x"]
    for stop in range(len(values) + 1):
        whole, part = reader_at(*values), reader_at(*values[:stop])
        restored = Reader.from_state(part.state)
        for offset in range(stop, len(values)):
            restored.pass_over(offset, values[offset])
        assert restored.state == whole.state
        assert isinstance(restored.pass_over(3, frame(whole.state)), FrameTaken)


def test_c1_the_state_moves_over_invalid_records_too() -> None:
    reader = serving()
    assert (reader.state.next, reader.pass_over(2, b"x"), reader.state.next) == (2, Invalid("foreign"), 3)


def test_c1_the_state_names_journal_shard_and_number_of_shards() -> None:
    assert serving().state[:3] == (JOURNAL, 0, SHARDS)


def test_c2_a_stored_position_stops_where_history_was_altered_behind_it() -> None:
    first = claim(1, 1)
    state = reader_at(first).state
    stored = reader_at(first, frame(state, "a")).state
    other = reader_at(first, frame(state, "b"))
    reader = Reader.from_state(stored)
    with pytest.raises(Diverged, match="rebuild"):
        reader.pass_over(2, frame(other.state))


def test_c2_a_stored_position_beyond_the_end_of_the_log_says_diverged() -> None:
    state = serving().state
    check_reach(state, 2, "the table")
    check_reach(state, 3, "the table")
    with pytest.raises(Diverged, match=r"the table has read up to offset 2, and the log ends at 1.* rebuild") as caught:
        check_reach(state, 1, "the table")
    assert caught.value.shard == 0


def test_s1_the_reader_holds_the_last_valid_record_as_an_anchor() -> None:
    reader = reader_at(claim(1, 1))
    value = frame(reader.state)
    reader.pass_over(1, value)
    reader.pass_over(2, b"x")
    assert reader.last_valid == (1, value)


@pytest.mark.parametrize(
    ("journal", "shard", "shards"),
    [(JOURNAL.upper(), 0, 4), ("", 0, 4), (JOURNAL, 4, 4), (JOURNAL, -1, 4), (JOURNAL, 0, 0)],
)
def test_a_reader_is_made_for_a_shard_that_can_be(journal: str, shard: int, shards: int) -> None:
    with pytest.raises(ValueError, match=r"UUID|shard"):
        Reader(journal, shard, shards)
