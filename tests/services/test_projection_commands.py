"""`shardlog projections`: an operator finds what is wrong, and puts it right, beside whoever keeps the tables."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from shardlog.cli.exit_codes import ExitCode
from shardlog.wiring.settings import load_settings
from shardlog.wiring.stores import ProjectionDatabase
from tests.services.command_line import SETTINGS, Said, fill, running, shardlog
from tests.services.kafka_roles import eventually
from tests.services.postgresql_settings import settings_of

PICKY = '''
from pathlib import Path

from domain.banking.messages import Deposited, Opened
from shardlog import Changes, Key, Projection, Recorded, Row, add, put, update


class Holding(Row, name="holdings"):
    """What accounts hold."""

    account: Key[str]
    cents: int = 0


holdings = Projection("holdings", rows=[Holding])


@holdings.on
def opened(event: Opened, recorded: Recorded) -> Changes:
    return put(Holding(account=recorded.id))


@holdings.on
def deposited(event: Deposited, recorded: Recorded) -> Changes:
    if event.amount == 2 and Path("is_broken").exists():
        raise ValueError("two is not liked")
    return update(Holding, recorded.id, cents=add(event.amount))
'''


class Place:
    """A folder where banking has run, with a projection that can be broken by a file."""

    def __init__(self, folder: Path, more: str = "") -> None:
        self.folder = folder
        fill(folder)
        (folder / "picky.py").write_text(PICKY)
        picky = SETTINGS.replace("projections.banking:balances", "picky:holdings")
        (folder / "shardlog.toml").write_text(picky + more)

    def run(self, *arguments: str) -> Said:
        """A command that must succeed."""
        said = shardlog(self.folder, *arguments)
        assert said.code == ExitCode.OK, said.err
        return said

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Where `shardlog dev` answers, for as long as the context lasts."""
        with running(self.folder, "dev", "--port", "0") as process:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{json.loads(process.stdout.readline())['port']}/v1"

    def project(self) -> None:
        """Serve until the tables have all."""
        with self.serving() as url:
            eventually(lambda: not _behind(httpx.get(f"{url}/projections").json()), "the tables are not there")

    def deposit(self, amount: int) -> str:
        """Ada's; returns the token."""
        with self.serving() as url:
            answer = httpx.post(f"{url}/streams/account/l1:ada/deposit", json={"amount": amount})
            return str(answer.raise_for_status().json()["token"])

    def builds(self) -> list[dict[str, Any]]:
        return self.run("projections", "list", "holdings", "--json").lines

    def letters(self) -> list[tuple[str, str]]:
        """By token, in which state."""
        return [(letter["token"], letter["state"]) for letter in self._letters()]

    def _letters(self) -> list[dict[str, Any]]:
        return self.run("projections", "dead-letters", "holdings", "--json").lines

    def ada(self) -> int:
        """What she holds, as an analyst sees it."""
        engine = ProjectionDatabase.of(load_settings(self.folder / "shardlog.toml")).open_engine()
        with engine.connect() as connection:
            cents = connection.execute(text("SELECT cents FROM holdings WHERE account = 'l1:ada'")).scalar_one()
        engine.dispose()
        return int(cents)

    def stops_at_failures(self) -> None:
        """The projection makes no dead letters."""
        stops = PICKY.replace("rows=[Holding]", 'rows=[Holding], on_failure="stop"')
        (self.folder / "picky.py").write_text(stops)

    def run_until_stopped(self) -> None:
        """Serve until the projection has said that it cannot go on."""
        with self.serving():
            eventually(lambda: self.builds() and self.builds()[0]["stopped"] != "", "the projection has not stopped")

    def spares(self, name: str) -> None:
        """The handler takes whatever an account of this name was given."""
        spares = PICKY.replace("event.amount == 2 and", f"event.amount == 2 and recorded.id != 'l1:{name}' and")
        (self.folder / "picky.py").write_text(spares)

    def is_broken(self, so: bool) -> None:
        """The handler dislikes one of ada's deposits, or not."""
        file = self.folder / "is_broken"
        file.touch() if so else file.unlink()


def _behind(answer: dict[str, Any]) -> int:
    (projection,) = answer["projections"]
    return sum(projection["lag"].values())


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":
        return Place(tmp_path)
    schema = request.getfixturevalue("postgresql_schema")
    return Place(tmp_path, settings_of(tmp_path, request.getfixturevalue("postgresql"), schema))


def test_a_dead_letter_is_shown_with_its_reason_and_worked_through_with_those_behind_it(place: Place) -> None:
    place.is_broken(True)
    place.project()
    assert [state for _, state in place.letters()] == ["failed", "parked", "parked"]
    assert place.ada() == 0
    shown = place.run("projections", "dead-letters", "holdings", "--traceback").out
    assert "ValueError: two is not liked" in shown
    assert 'raise ValueError("two is not liked")' in shown
    assert "3 open dead letters" in shown
    again = shardlog(place.folder, "projections", "retry", "holdings", "account/l1:ada")
    assert again.code == ExitCode.FAILED
    assert "fails again: ValueError: two is not liked" in again.err
    place.is_broken(False)
    assert place.run("projections", "retry", "holdings", "--json").json == {
        "projection": "holdings",
        "handled": 3,
        "failures": [],
    }
    assert (place.ada(), place.letters()) == (9, [])


def test_a_stream_that_fails_again_holds_up_no_other_and_all_failures_are_told_at_the_end(place: Place) -> None:
    place.is_broken(True)
    place.project()
    with place.serving() as url:
        for name in ("bea", "cy"):
            for command, payload in (("open", {"owner": name}), ("deposit", {"amount": 2}), ("deposit", {"amount": 5})):
                httpx.post(f"{url}/streams/account/l1:{name}/{command}", json=payload).raise_for_status()
        eventually(lambda: len(place.letters()) == 7, "not all letters are there")
    place.spares("cy")
    again = shardlog(place.folder, "projections", "retry", "holdings", "--json")
    assert (again.code, again.json["handled"], len(again.json["failures"])) == (ExitCode.FAILED, 2, 2)
    assert again.err.count("fails again: ValueError: two is not liked") == 2
    assert {letter["id"] for letter in place.run("projections", "dead-letters", "holdings", "--json").lines} == {
        "l1:ada",
        "l1:bea",
    }
    wrong = shardlog(place.folder, "projections", "retry", "holdings", "account/l1:be")
    assert wrong.code == ExitCode.USAGE
    assert "has no open dead letter of stream 'account/l1:be'; did you mean 'account/l1:bea'?" in wrong.err
    (failed, *_) = [token for token, state in place.letters() if state == "failed"]
    assert "retry 2 dead letters parked behind it" in place.run("projections", "skip", "holdings", failed).out
    place.run("projections", "retry", "holdings", "account/l1:ada")
    (failed, _), (parked, _) = place.letters()
    assert "retry 1 dead letter parked behind it" in place.run("projections", "skip", "holdings", failed).out
    assert "nothing is parked behind it" in place.run("projections", "skip", "holdings", parked).out


def test_a_skipped_letter_is_known_to_no_row_and_a_rebuild_passes_it_over(place: Place) -> None:
    place.is_broken(True)
    place.project()
    (failed, _), (parked, _), _ = place.letters()
    early = shardlog(place.folder, "projections", "skip", "holdings", parked)
    assert early.code == ExitCode.FAILED
    assert f"at {failed}: retry or skip that one first" in early.err
    place.run("projections", "skip", "holdings", failed)
    place.run("projections", "retry", "holdings")
    assert (place.ada(), place.letters()) == (7, [])
    place.is_broken(False)
    place.run("rebuild", "holdings")
    assert place.ada() == 7


def test_a_paused_projection_moves_no_row_until_it_is_resumed(place: Place) -> None:
    place.project()
    place.run("projections", "pause", "holdings")
    assert "serving, paused" in place.run("projections", "list").out
    assert "1, serving, paused" in place.run("status").out
    (seen,) = place.run("status", "--json").json["projections"]
    assert (seen["state"], seen["is_paused"], seen["stopped"]) == ("serving", True, "")
    place.deposit(10)
    (build,) = place.builds()
    assert (build["is_paused"], build["records_behind"] > 0, place.ada()) == (True, True, 9)
    place.run("projections", "resume", "holdings")
    place.project()
    assert place.ada() == 19


def test_what_stops_a_projection_is_told_by_the_status_until_it_goes_on(place: Place) -> None:
    place.stops_at_failures()
    place.is_broken(True)
    place.run_until_stopped()
    shown = place.run("status").out
    assert "1, serving, stopped" in shown
    assert (
        "projection holdings, build 1, serving, stopped: projection 'holdings': it stops at account/l1:ada version"
        in shown
    )
    (seen,) = place.run("status", "--json").json["projections"]
    assert (seen["state"], seen["is_paused"]) == ("serving", False)
    assert "ValueError: two is not liked" in seen["stopped"]
    place.is_broken(False)
    place.project()
    (seen,) = place.run("status", "--json").json["projections"]
    assert (seen["standing"], seen["stopped"], place.ada()) == ("serving", "", 9)


def test_one_event_that_stops_a_projection_is_skipped_and_it_goes_on_behind_it_alone(place: Place) -> None:
    place.stops_at_failures()
    place.is_broken(True)
    with place.serving():
        eventually(lambda: place.builds() and place.builds()[0]["stopped"] != "", "the projection has not stopped")
        told = place.builds()[0]["stopped"]
        (token,) = re.findall(r"shardlog projections skip holdings (\S+)`", told)
        assert "it goes on behind it" in place.run("projections", "skip", "holdings", token).out
        eventually(lambda: place.ada() == 7, "the events behind it are not in the rows")
        assert place.builds()[0]["stopped"] == ""
    (letter,) = place.run("projections", "dead-letters", "holdings", "--all", "--json").lines
    assert (letter["token"], letter["state"]) == (token, "skipped")
    assert "ValueError: two is not liked" in letter["error"]
    again = shardlog(place.folder, "projections", "skip", "holdings", token)
    assert (again.code, "has not stopped" in again.err) == (ExitCode.FAILED, True)
    place.is_broken(False)
    place.run("rebuild", "holdings")
    assert place.ada() == 7


def test_what_a_stopped_projection_has_passed_or_does_not_hear_is_not_skipped(place: Place) -> None:
    place.stops_at_failures()
    place.is_broken(True)
    place.run_until_stopped()
    (token,) = re.findall(r"position (\S+):", place.builds()[0]["stopped"])
    journal, shard, offset, index = token.split(".")
    for other, why in (
        (f"{journal}.{shard}.0.0", "has passed"),
        (f"{journal}.{shard}.{offset}.{int(index) + 90}", "hears no event at"),
        (f"{journal}.{shard}.{int(offset) + 900}.0", "hears no event at"),
    ):
        refused = shardlog(place.folder, "projections", "skip", "holdings", other)
        assert (refused.code, why in refused.err) == (ExitCode.FAILED, True), refused.err
    assert place.builds()[0]["stopped"] != ""


def test_a_rebuild_that_stops_goes_on_behind_the_event_that_is_skipped(place: Place) -> None:
    place.project()
    place.is_broken(True)
    stopped = shardlog(place.folder, "rebuild", "holdings")
    assert stopped.code == ExitCode.FAILED
    assert "start again or `shardlog rebuild holdings --resume`" in stopped.err
    (token,) = re.findall(r"shardlog projections skip holdings (\S+)`", stopped.err)
    place.run("projections", "skip", "holdings", token)
    assert place.ada() == 9
    place.run("rebuild", "holdings", "--resume")
    assert place.ada() == 7


def test_a_rebuild_of_what_is_paused_leaves_it_paused_and_says_so(place: Place) -> None:
    place.project()
    place.run("projections", "pause", "holdings")
    place.deposit(10)
    rebuilt = place.run("rebuild", "holdings").out
    assert "it is paused, as it was: `shardlog projections resume holdings`" in rebuilt
    assert [(b["state"], b["is_paused"]) for b in place.builds()] == [("retired", False), ("serving", True)]
    place.deposit(100)
    assert place.ada() == 19
    place.run("projections", "resume", "holdings")
    place.project()
    assert place.ada() == 119


def test_a_retired_build_does_not_look_like_an_open_fault(place: Place) -> None:
    place.stops_at_failures()
    place.is_broken(True)
    place.run_until_stopped()
    place.is_broken(False)
    place.run("rebuild", "holdings")
    listed = place.run("projections", "list").out
    assert re.search(r"^holdings +1 +1 +retired +\d+ +- ", listed, re.MULTILINE)
    assert "stopped" not in listed
    assert "drop NAME/VERSION/NUMBER" in listed


def test_builds_are_listed_switched_back_to_and_dropped(place: Place) -> None:
    place.project()
    place.run("rebuild", "holdings")
    assert [(b["number"], b["state"], b["records_behind"]) for b in place.builds()] == [
        (1, "retired", 0),
        (2, "serving", 0),
    ]
    refused = shardlog(place.folder, "projections", "drop", "holdings/1/2")
    assert (refused.code, "switch to another one first" in refused.err) == (ExitCode.FAILED, True)
    place.run("projections", "switch", "holdings/1/1")
    place.run("projections", "drop", "holdings/1/2")
    assert [(b["number"], b["state"]) for b in place.builds()] == [(1, "serving")]
    assert place.ada() == 9


def test_records_are_passed_over_by_hand_and_the_list_says_so_until_a_rebuild(place: Place) -> None:
    place.project()
    place.run("projections", "pause", "holdings")
    token = place.deposit(100)
    tried = place.run("projections", "reset", "holdings", "--behind", token, "--dry-run").out
    assert re.search(r"holdings: \d records? with 1 event that it hears would be passed over; nothing was done", tried)
    assert place.builds()[0]["records_behind"] > 0
    moved = place.run("projections", "reset", "holdings", "--behind", token, "--json").json
    assert moved["passed_over"] > 0
    assert (moved["events"], moved["unreadable_frames"]) == (1, 0)
    assert place.ada() == 9
    assert re.search(
        r"passed over by hand: shard \d: offsets \d+ to \d+, 1 event, at ", place.run("projections", "list").out
    )
    assert "passed over by hand: shard" in place.run("projections", "list").out
    back = shardlog(place.folder, "projections", "reset", "holdings", "--behind", token)
    assert "To hear again what it has heard, rebuild the projection" in back.err
    place.run("rebuild", "holdings", "--drop-old")
    assert place.ada() == 109
    assert "passed over" not in place.run("projections", "list").out


def test_a_token_of_a_shard_that_there_is_not_is_a_wrong_command_line(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.project()
    journal = place.run("status", "--no-records", "--json").json["journal"]
    for command in (("reset", "holdings", "--behind"), ("skip", "holdings")):
        refused = shardlog(place.folder, "projections", *command, f"{journal}.9.1.0")
        assert refused.code == ExitCode.USAGE
        assert "is of shard 9, and this journal has 2 shards, from 0" in refused.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("dead-letters", "holding"), "there is no projection 'holding'; did you mean 'holdings'?"),
        (("retry", "holdings", "ada"), "'ada' is no stream: name it as CATEGORY/ID"),
        (("skip", "holdings", "token"), "'token' is no consistency token"),
        (("skip", "holdings", "0123456789ab.9.1.0"), "the token is of journal 0123456789ab, and this is"),
        (("drop", "holdings"), "'holdings' is no build: name it as NAME/VERSION/NUMBER, such as balances/2/1"),
        (("drop", "holdings/7/1"), "there is no build holdings/7/1; of projection 'holdings' there are: holdings/1/1"),
    ],
)
def test_what_there_is_not_is_named_with_what_there_is(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    place = Place(tmp_path)
    place.project()
    refused = shardlog(place.folder, "projections", *arguments)
    assert refused.code in (ExitCode.FAILED, ExitCode.USAGE)
    assert said in refused.err
