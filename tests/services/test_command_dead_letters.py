"""What an embedded engine does with commands that nobody waits for and that are refused: they are visible, and the
rest goes on."""

from __future__ import annotations

import time
from base64 import b64decode
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from shardlog import (
    Aggregate,
    Application,
    Command,
    Domain,
    Event,
    ProcessManager,
    Recorded,
    Rejected,
    Sends,
    State,
    reject,
    replace,
)
from shardlog.adapters.sql.relay_store import SqlRelayStore
from shardlog.cli.exit_codes import ExitCode
from shardlog.codec.json import encode
from shardlog.errors import InputChanged
from shardlog.executor.requests import CommandRecord
from shardlog.ports.inputs import Input
from shardlog.sharding import shard_of
from shardlog.wiring.embedded import Embedded
from tests.services.command_line import shardlog

SHARDS = 3
TIMEOUT_S = 60.0
IDS = [next(f"s{n}" for n in range(100) if shard_of(f"s{n}", SHARDS) == shard) for shard in range(SHARDS)]


class Shelf(State):
    boxes: int = 0


class Store(Command):
    """Boxes that go on to another shelf."""

    boxes: int
    to: str = ""


class Stored(Event):
    boxes: int
    to: str


class Accept(Command):
    boxes: int


class AcceptedBoxes(Event):
    boxes: int


class TakeBack(Command):
    boxes: int


class TakenBack(Event):
    boxes: int


shelf = Aggregate("shelf", initial=Shelf())


@shelf.decides
def store(state: Shelf, command: Store) -> Stored:
    return Stored(boxes=command.boxes, to=command.to)


@shelf.decides
def accept(state: Shelf, command: Accept) -> AcceptedBoxes:
    if command.boxes == 7:
        raise ArithmeticError("a mistake in the domain")
    if command.boxes > 10:
        reject("too_many", "ten at most")
    return AcceptedBoxes(boxes=command.boxes)


@shelf.decides
def take_back(state: Shelf, command: TakeBack) -> TakenBack:
    return TakenBack(boxes=command.boxes)


@shelf.evolves
def stored(state: Shelf, event: Stored) -> Shelf:
    return replace(state, boxes=state.boxes - event.boxes if event.to else state.boxes + event.boxes)


@shelf.evolves
def came_in(state: Shelf, event: AcceptedBoxes | TakenBack) -> Shelf:
    return replace(state, boxes=state.boxes + event.boxes)


def application(hears_rejections: bool) -> Application:
    moving = ProcessManager("moving")

    @moving.on
    def move(event: Stored, recorded: Recorded) -> Sends:
        return shelf.send(event.to, Accept(boxes=event.boxes)) if event.to else None

    if hears_rejections:

        @moving.on_rejected
        def bring_back(rejected: Rejected[Accept]) -> Sends:
            return shelf.send(IDS[0], TakeBack(boxes=rejected.command.boxes))

    return Application([Domain("shelves", aggregates=[shelf], process_managers=[moving])])


class Records(Input):
    """Records of one shard."""

    name = "feeder:records:1"

    def __init__(self, *values: bytes) -> None:
        self._values = values

    def read(self, shard: int, start: int, limit: int) -> Sequence[tuple[int, bytes]]:
        return list(enumerate(self._values))[start : start + limit] if shard == 0 else []


def record(id: str, command: Command, command_id: str) -> bytes:
    texts = ("shelf", id, type(command).__wire_name__, command_id, "", "", "", "", "", "")
    return msgspec.json.encode(CommandRecord(1, *texts, None, None, msgspec.Raw(encode(command))))


def boxes(engine: Embedded, id: str) -> int:
    state: Shelf = engine.read(shelf.stream(id)).state
    return state.boxes


def test_a_rejection_that_no_handler_hears_is_a_dead_letter_and_the_sends_behind_it_go_on(tmp_path: Path) -> None:
    with Embedded(application(hears_rejections=False), tmp_path, shards=SHARDS) as engine:
        for count in (12, 3):
            engine.send(shelf.stream(IDS[0]), Store(boxes=count, to=IDS[1]), command_id=f"c-{count}")
        engine.wait_for_sends(TIMEOUT_S)
        (letter,) = engine.command_dead_letters()
        assert (letter.code, letter.message, letter.command, letter.id) == ("too_many", "ten at most", "accept", IDS[1])
        assert (letter.manager, letter.payload, letter.correlation) == ("moving", '{"boxes":12}', "c-12")
        assert (letter.position.shard, letter.state) == (1, "open")
        assert boxes(engine, IDS[1]) == 3


def test_a_rejection_that_is_heard_is_compensated_and_no_dead_letter(tmp_path: Path) -> None:
    with Embedded(application(hears_rejections=True), tmp_path, shards=SHARDS) as engine:
        engine.send(shelf.stream(IDS[0]), Store(boxes=12, to=IDS[1]))
        engine.wait_for_sends(TIMEOUT_S)
        assert engine.command_dead_letters() == []
        assert (boxes(engine, IDS[0]), boxes(engine, IDS[1])) == (0, 0)


def test_an_engine_refusal_is_a_dead_letter_which_the_manager_does_not_hear_and_what_is_behind_it_goes_on(
    tmp_path: Path,
) -> None:
    with Embedded(application(hears_rejections=True), tmp_path, shards=SHARDS) as engine:
        for count in (7, 3):
            engine.send(shelf.stream(IDS[0]), Store(boxes=count, to=IDS[1]))
        engine.wait_for_sends(TIMEOUT_S)
        (letter,) = engine.command_dead_letters()
        assert (letter.code, letter.manager, letter.payload) == ("internal_error", "moving", '{"boxes":7}')
        assert (boxes(engine, IDS[0]), boxes(engine, IDS[1])) == (-10, 3)


def test_dead_letters_are_still_there_after_a_restart_and_once(tmp_path: Path) -> None:
    app = application(hears_rejections=False)
    with Embedded(app, tmp_path, shards=SHARDS) as engine:
        for _ in range(3):
            engine.send(shelf.stream(IDS[0]), Store(boxes=12, to=IDS[2]))
        engine.wait_for_sends(TIMEOUT_S)
        letters = engine.command_dead_letters()
    resolving = SqlRelayStore(tmp_path / "relay.sqlite")
    resolving.resolve(letters[1].position, "retried")
    resolving.close()
    with Embedded(app, tmp_path, shards=SHARDS) as engine:
        engine.wait_for_sends(TIMEOUT_S)
        assert [letter.state for letter in engine.command_dead_letters()] == ["open", "retried", "open"]
        first = engine.command_dead_letters(limit=1)
        assert engine.command_dead_letters(limit=1, after=first[0].position) == [
            msgspec.structs.replace(letters[1], state="retried")
        ]


def test_the_command_line_shows_them_and_resolves_each_once_beside_a_running_engine(tmp_path: Path) -> None:
    (tmp_path / "shardlog.toml").write_text(f'[journal]\ndirectory = "shelves"\nshards = {SHARDS}\n')
    feed = Records(b"no command")
    with Embedded(
        application(hears_rejections=False), tmp_path / "shelves", shards=SHARDS, inputs=[feed], projects=False
    ) as engine:
        for number in range(2):
            engine.send(shelf.stream(IDS[0]), Store(boxes=12, to=IDS[1]), command_id=f"c-{number}")
        while engine.executor.settled(feed.name) < 1:
            engine.raise_errors()
        engine.wait_for_sends(TIMEOUT_S)
        shown = shardlog(tmp_path, "dead-letters", "--json").lines
        assert [(s["code"], s["manager"], s["payload"], s["state"]) for s in shown] == [
            ("undecodable", "", "", "open"),
            ("too_many", "moving", '{"boxes":12}', "open"),
            ("too_many", "moving", '{"boxes":12}', "open"),
        ]
        assert b64decode(shown[0]["original"]) == b"no command"
        tokens = [one["token"] for one in shown]
        assert tokens == [letter.position.token for letter in engine.command_dead_letters()]

        retried = shardlog(tmp_path, "dead-letters", "--retried", tokens[1], "--json")
        assert (retried.code, retried.json) == (ExitCode.OK, {"token": tokens[1], "state": "retried"})
        again = shardlog(tmp_path, "dead-letters", "--rejected", tokens[1])
        assert again.code == ExitCode.USAGE
        assert f"there is no open dead letter at {tokens[1]}" in " ".join(again.err.split())
        assert shardlog(tmp_path, "dead-letters", "--rejected", tokens[0]).code == ExitCode.OK

        said = shardlog(tmp_path, "dead-letters").out
        assert tokens[2] in said
        assert f"shelf/{IDS[1]} accept" in said
        assert "too_many: ten at most" in said
        assert "sent by moving, process c-1, at 20" in said
        assert said.endswith("\n1 open dead letter\n")
        assert [s["state"] for s in shardlog(tmp_path, "dead-letters", "--all", "--json").lines] == [
            "rejected",
            "retried",
            "open",
        ]
        assert shardlog(tmp_path, "status", "--no-records", "--json").json["command_dead_letters"] == 1
        assert boxes(engine, IDS[1]) == 0


def test_a_dead_letter_that_is_none_is_a_wrong_command_line(tmp_path: Path) -> None:
    (tmp_path / "shardlog.toml").write_text('[journal]\ndirectory = "shelves"\n')
    assert shardlog(tmp_path, "dead-letters").code == ExitCode.CONFIGURATION
    with Embedded(application(hears_rejections=False), tmp_path / "shelves"):
        pass
    assert shardlog(tmp_path, "dead-letters").out == "0 open dead letters\n"
    for arguments in (["--retried", "nowhere"], ["--retried", "a-b.0.1.0"], ["--all", "--rejected", "a-b.0.1.0"]):
        assert shardlog(tmp_path, "dead-letters", *arguments).code == ExitCode.USAGE


def test_a_record_that_is_no_command_is_a_dead_letter_with_its_bytes(tmp_path: Path) -> None:
    unknown = record(IDS[0], TakeBack(boxes=1), "r-2").replace(b"take_back", b"fly")
    feed = Records(b"no command", unknown, record(IDS[0], TakeBack(boxes=4), "r-3"))
    with Embedded(application(hears_rejections=True), tmp_path, shards=SHARDS, inputs=[feed]) as engine:
        engine.send(shelf.stream(IDS[0]), Store(boxes=1))
        while engine.executor.settled(feed.name) < 3:
            engine.raise_errors()
        engine.wait_for_sends(TIMEOUT_S)
        unreadable, refused = engine.command_dead_letters()
        assert (unreadable.code, unreadable.original, unreadable.input_offset) == ("undecodable", b"no command", 0)
        assert (refused.code, refused.command, refused.original) == ("unknown_command", "fly", unknown)
        assert boxes(engine, IDS[0]) == 5


def test_a_misrouted_record_is_executed_once_by_the_shard_that_it_belongs_to(tmp_path: Path) -> None:
    feed = Records(*(record(IDS[1], TakeBack(boxes=n), f"r-{n}" if n % 2 else "") for n in range(1, 5)))
    for _ in range(2):
        with Embedded(application(hears_rejections=True), tmp_path, shards=SHARDS, inputs=[feed]) as engine:
            while engine.executor.settled(feed.name) < 4:
                engine.raise_errors()
            engine.wait_for_sends(TIMEOUT_S)
            assert boxes(engine, IDS[1]) == 10
            assert engine.command_dead_letters() == []
        for file in tmp_path.glob("relay.sqlite*"):
            file.unlink()


def test_a_record_to_be_forwarded_that_the_input_does_not_give_any_more_is_an_error_until_it_does(
    tmp_path: Path,
) -> None:
    feed = GivesOnce(record(IDS[1], TakeBack(boxes=5), "r-1"))
    with Embedded(application(hears_rejections=True), tmp_path, shards=SHARDS, inputs=[feed]) as engine:
        give_up = time.monotonic() + TIMEOUT_S
        while engine.executor.settled(feed.name) < 1:
            assert time.monotonic() < give_up
        engine.send(shelf.stream(IDS[0]), Store(boxes=2, to=IDS[2]))
        with pytest.raises(InputChanged, match="feeder:records:1"):
            engine.wait_for_sends(TIMEOUT_S)
        while engine.relay.behind() > 1:
            assert time.monotonic() < give_up
        assert (boxes(engine, IDS[1]), boxes(engine, IDS[2])) == (0, 2)
        feed.gives_again = True
        while engine.relay.behind():
            assert time.monotonic() < give_up
        engine.raise_errors()
        assert boxes(engine, IDS[1]) == 5


class GivesOnce(Records):
    """To who asks first, until it gives again."""

    gives_again = False
    was_asked = False

    def read(self, shard: int, start: int, limit: int) -> Sequence[tuple[int, bytes]]:
        found = super().read(shard, start, limit)
        if found and self.was_asked and not self.gives_again:
            return []
        self.was_asked = self.was_asked or bool(found)
        return found
