"""What a run left behind, held to what it promised: the judge of every fault.

It reads the journal by the rule as the simulation has written it a second time, and compares all else with that: three
readers, the commands topic, replies, published events, callers' answers, money, and the projections' tables.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from shardlog.adapters.kafka.journal import KafkaJournal
from shardlog.journal.reader import Reader
from shardlog.testing.simulation.log import ValidFrame, valid_frames
from tests.services.kafka_faults.bank import SHARDS, Answer, Bank
from tests.services.kafka_faults.following import Following
from tests.services.kafka_faults.load import Produced
from tests.services.kafka_faults.money import check_money
from tests.services.kafka_faults.settled_records import check_confirmed, check_settled
from tests.services.kafka_faults.topics import Found, records


class Counts(NamedTuple):
    """What was looked at. invalid: records of the journal that count for nobody."""

    confirmed: int
    frames: int
    entries: int
    answers: int
    replies: int
    events: int
    claims: int
    invalid: int
    payments: int


class History:
    """One run's topics, read once. frames: of each shard, those that count."""

    def __init__(self, bank: Bank) -> None:
        self.bank = bank
        topic = bank.kafka.journal_topic
        self.journal = records(bank.bootstrap, topic, SHARDS, is_committed=False)
        self.frames = [self._frames(shard) for shard in range(SHARDS)]
        self.entries = {
            (shard, frame.offset): list(_indexed(frame)) for shard in range(SHARDS) for frame in self.frames[shard]
        }

    def entry_at(self, token: str, command_id: str) -> list[Any]:
        """The entry that a token names. Raises AssertionError where there is none, or that of another command."""
        journal, shard, offset, index = token.split(".")
        assert journal == self.bank.journal_id, f"{token} is of another journal"
        found = [entry for last, entry in self.entries.get((int(shard), int(offset)), ()) if last == int(index)]
        assert found, f"{command_id} was told {token}, and no entry stands there"
        assert found[0][4] == command_id, f"{command_id} was told {token}, and there stands {found[0]}"
        return found[0]

    def every_entry(self) -> Iterator[list[Any]]:
        """In no particular order of shards."""
        return (entry for entries in self.entries.values() for _, entry in entries)

    def _frames(self, shard: int) -> list[ValidFrame]:
        values: list[bytes] = []
        for record in self.journal[shard]:
            values += [b""] * (record.offset - len(values))
            values.append(record.value)
        return valid_frames(self.bank.journal_id, shard, SHARDS, values)


def judge(
    bank: Bank,
    produced: Sequence[Produced],
    answers: Sequence[Answer],
    following: Following,
    input: str,
    *,
    publishes: bool,
) -> Counts:
    """All of it, at rest. input: the commands topic's full name. publishes: whether a relay ran."""
    assert following.errors == {}
    history = History(bank)
    invalid = check_readers(history, following)
    commands = records(bank.bootstrap, bank.kafka.commands_topic, SHARDS, is_committed=True)
    for shard in range(SHARDS):
        check_settled(shard, SHARDS, history.frames[shard], commands[shard], input, is_at_rest=True)
    confirmed = check_confirmed(produced, commands)
    check_sends(history)
    check_answers(history, answers)
    replies = events = 0
    if publishes:
        replies = check_replies(history)
        events = check_events(history)
    payments = check_money(bank, history.frames, is_at_rest=publishes)
    return Counts(
        confirmed,
        sum(map(len, history.frames)),
        sum(map(len, history.entries.values())),
        len(answers),
        replies,
        events,
        sum(map(len, following.claims)),
        invalid,
        payments,
    )


def check_readers(history: History, following: Following) -> int:
    """Three agree on the head after every record: one that followed the run, the adapter now, and the second rule over
    a plain consumer; returns how many records are invalid."""
    bank, invalid = history.bank, 0
    journal = KafkaJournal(bank.kafka, SHARDS)
    try:
        for shard in range(SHARDS):
            reader, heads, valid = Reader(bank.journal_id, shard, SHARDS), {}, []
            for offset, value in journal.read(shard, 0):
                before = reader.seq
                reader.pass_over(offset, value)
                heads[offset] = reader.state.head
                if reader.seq > before:
                    valid.append((offset, reader.epoch, reader.seq))
            assert heads == following.heads[shard], f"shard {shard}: who followed has seen another history"
            assert following.records[shard] == [(record.offset, record.value) for record in history.journal[shard]]
            assert valid == [frame[:3] for frame in history.frames[shard]], f"shard {shard}: the rules disagree"
            invalid += sum(reader.invalid.values())
    finally:
        journal.close()
    return invalid


def check_sends(history: History) -> None:
    """What shards sent one another was taken once, in order."""
    for source in range(SHARDS):
        for target in range(SHARDS):
            sent = list(_sent(history.frames[source], target))
            taken = list(_taken(history.frames[target], source))
            assert taken == sent, f"from shard {source} to {target}: {len(sent)} sends, {len(taken)} taken"


def check_answers(history: History, answers: Sequence[Answer]) -> None:
    """Each caller's answer is true, and no caller's command was applied twice."""
    applied = Counter((e[2], e[4]) for e in history.every_entry() if e[0] in "ar" and e[7] == "local")
    twice = [key for key, count in applied.items() if count > 1]
    assert not twice, f"applied twice: {twice}"
    for answer in answers:
        if answer.token is not None:
            entry = history.entry_at(answer.token, answer.command_id)
            code = "accepted" if entry[0] == "a" else entry[15]
            assert code == answer.code, f"{answer.command_id} was told {answer.code}, and it is {code}"
        elif answer.code == "unavailable":
            assert (answer.id, answer.command_id) not in applied, f"{answer} was applied"


def check_replies(history: History) -> int:
    """Each entry that asks for a reply has one, with its place and its outcome; returns how many."""
    topic = history.bank.kafka.replies_topic
    found = [one for some in records(history.bank.bootstrap, topic, SHARDS, is_committed=True) for one in some]
    told = Counter[str]()
    for reply in found:
        value = json.loads(reply.value)
        token, command_id = value["token"], reply.headers["shardlog-command-id"].decode()
        entry = history.entry_at(token, command_id)
        assert (entry[0] == "a") is (value["status"] == 200), f"{command_id}: reply {value}, entry {entry}"
        assert entry[0] == "a" or value["code"] == entry[15], f"{command_id}: reply {value}, entry {entry}"
        told[token] += 1
    wanted = Counter(
        f"{history.bank.journal_id}.{shard}.{offset}.{last}"
        for (shard, offset), entries in history.entries.items()
        for last, entry in entries
        if entry[0] in "ar" and entry[14]
    )
    _check_same("replies", told, wanted)
    return len(found)


def check_events(history: History) -> int:
    """Each event is published once for who reads what is committed, under its position; returns how many."""
    topic = history.bank.kafka.events_topic("account")
    found = records(history.bank.bootstrap, topic, SHARDS, is_committed=True)
    published = Counter((e.headers["ce_id"].decode(), _data(e.value)) for some in found for e in some)
    wanted = Counter(
        (f"{history.bank.journal_id}.{shard}.{offset}.{last - len(entry[15]) + 1 + place}", _data(event[3]))
        for (shard, offset), entries in history.entries.items()
        for last, entry in entries
        if entry[0] == "a"
        for place, event in enumerate(entry[15])
    )
    _check_same("events", published, wanted)
    for some in found:
        _check_order(some)
    return sum(map(len, found))


def _check_order(events: Sequence[Found]) -> None:
    last: dict[bytes, int] = {}
    for event in events:
        stream, version = event.headers["ce_subject"], int(event.headers["ce_version"])
        assert version == last.get(stream, 0) + 1, f"{stream!r}: version {version} follows {last.get(stream)}"
        last[stream] = version


def _check_same(what: str, found: Counter[Any], wanted: Counter[Any]) -> None:
    missing, more = wanted - found, found - wanted
    assert not missing, f"{what}: {missing.total()} of {wanted.total()} are missing: {list(missing)[:3]}"
    assert not more, f"{what}: {more.total()} too many: {list(more)[:3]}"


def _data(value: bytes | dict[str, Any]) -> str:
    return json.dumps(json.loads(value) if isinstance(value, bytes) else value, sort_keys=True)


def _indexed(frame: ValidFrame) -> Iterator[tuple[int, list[Any]]]:
    """Each entry with the last index that it takes."""
    index = -1
    for entry in frame.body[2]:
        index += max(1, len(entry[15])) if entry[0] == "a" else 1
        yield index, entry


def _sent(frames: Sequence[ValidFrame], target: int) -> Iterator[tuple[int, ...]]:
    for frame in frames:
        number = 0
        for entry in frame.body[2]:
            targets = [entry[3]] if entry[0] == "f" else [send[5] for send in entry[-1]] if entry[0] in "ar" else []
            for its_target in targets:
                if its_target == target:
                    yield frame.epoch, frame.seq, number
                number += 1


def _taken(frames: Sequence[ValidFrame], source: int) -> Iterator[tuple[int, ...]]:
    for frame in frames:
        for entry in frame.body[2]:
            if entry[0] in "ar" and entry[13] is not None and entry[13][1] == source:
                yield tuple(entry[13][2:5])
