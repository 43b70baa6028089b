"""The connection is cut at every message of a batch, before it and behind it: all of the batch or nothing, once."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
import stamina
from sqlalchemy.engine import make_url

from shardlog.adapters.postgresql import PostgresqlProjectionStore
from shardlog.ports.builds import Build
from shardlog.ports.projections import Batch
from shardlog.projector.runner import Projector
from shardlog.projector.worker import Limits
from shardlog.testing.contracts.tallies import letter
from tests.services.postgresql_faults.judge import assert_equal, fresh, tables_of
from tests.services.postgresql_faults.ledger import SHARDS, ledger, write_journal
from tests.services.postgresql_faults.proxy import Message, MessageProxy, Verdict
from tests.unit.projector.log import JOURNAL

EVENTS = 40_000
CUTS_MIN = 50
BACK = 8
POISONED_MESSAGES_MAX = 250
COMMIT_STEPS = (">Q COMMIT", "<C COMMIT")
LIMITS = Limits(batch_frames_max=SHARDS, turn_ms=0)


class CutOnce:
    """Cuts once: at the message of a name from the one with this number on, counted from when it is told so."""

    def __init__(self) -> None:
        self.cut_at: list[str] = []
        self._left: int | None = None
        self._name = ""
        self._how = Verdict.PASS
        self._turn = threading.Lock()

    @property
    def is_done(self) -> bool:
        return self._left is None

    def at(self, number: int, how: Verdict, name: str = "") -> None:
        self._left, self._how, self._name = number, how, name

    def never(self) -> None:
        self._left = None

    def __call__(self, message: Message) -> Verdict:
        with self._turn:
            if self._left is None:
                return Verdict.PASS
            self._left -= 1
            if self._left >= 0 or not message.name.startswith(self._name):
                return Verdict.PASS
            self._left = None
            self.cut_at.append(f"{self._how.value}: {message.name}")
            return self._how


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    """Trials follow each other at once, as many as the limits say."""
    with stamina.set_testing(True, attempts=100, cap=True):
        yield


@pytest.fixture
def cut() -> CutOnce:
    return CutOnce()


@pytest.fixture
def store(postgresql: str, postgresql_schema: str, cut: CutOnce) -> Iterator[PostgresqlProjectionStore]:
    url = make_url(postgresql)
    assert url.port is not None
    with MessageProxy(url.port, cut) as proxy:
        behind = url.set(host="127.0.0.1", port=proxy.port).render_as_string(hide_password=False)
        store = PostgresqlProjectionStore(behind, schema=postgresql_schema)
        yield store
        store.close()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("how", [Verdict.CUT_BEFORE, Verdict.CUT_BEHIND], ids=["before", "behind"])
def test_a_connection_cut_at_every_message_of_a_batch_leaves_the_rows_of_one_that_never_was(
    how: Verdict,
    cut: CutOnce,
    store: PostgresqlProjectionStore,
    postgresql: str,
    postgresql_schema: str,
    tmp_path: Path,
) -> None:
    journal = write_journal(tmp_path, EVENTS, Random(7), poison=0.0)
    application, projection = ledger()
    projector = Projector(journal, JOURNAL, SHARDS, application, [projection], store, LIMITS)
    projector.step()  # the first batch inserts the checkpoints
    number, is_covered = 0, False
    while projector.behind():
        cut.at(number, how)
        projector.step()
        is_covered = is_covered or not cut.is_done
        number = number + 1 if cut.is_done else number - BACK  # batches differ a little in how many messages they are
        if number % BACK == 0:
            cut.at(0, how, COMMIT_STEPS[number // BACK % 2])
            projector.step()
    cut.never()
    assert is_covered
    assert_every_step_was_cut(cut.cut_at, how)
    assert_equal(
        tables_of(postgresql, postgresql_schema, projection),
        fresh(postgresql, journal, SHARDS, application, projection),
    )
    journal.close()


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("quiet")
def test_a_connection_cut_while_dead_letters_are_made_leaves_the_rows_and_letters_of_one_that_never_was(
    cut: CutOnce, store: PostgresqlProjectionStore, postgresql: str, postgresql_schema: str, tmp_path: Path
) -> None:
    random = Random(8)
    journal = write_journal(tmp_path, EVENTS // 4, random)
    application, projection = ledger()
    projector = Projector(journal, JOURNAL, SHARDS, application, [projection], store, LIMITS)
    while projector.behind():
        cut.at(random.randrange(POISONED_MESSAGES_MAX), random.choice([Verdict.CUT_BEFORE, Verdict.CUT_BEHIND]))
        projector.step()
    cut.never()  # a cut that the last batch was too short for would hit what looks at the rows
    assert len(projector.dead_letters(projection.name).letters()) > CUTS_MIN
    assert len(cut.cut_at) > CUTS_MIN // 2
    assert_equal(
        tables_of(postgresql, postgresql_schema, projection),
        fresh(postgresql, journal, SHARDS, application, projection),
    )
    journal.close()


def assert_every_step_was_cut(cut_at: list[str], how: Verdict) -> None:
    """From the batch's first message to the commit's, and to its answer on the way back."""
    assert len(cut_at) > CUTS_MIN
    for step in (*COMMIT_STEPS, ">P BEGIN", ">E", "<C UPDATE 1", "<C INSERT"):
        assert any(one.startswith(f"{how.value}: {step}") for one in cut_at), sorted(set(cut_at))


def test_how_many_letters_a_batch_has_makes_it_no_more_questions(postgresql: str, postgresql_schema: str) -> None:
    """Each would be one more moment at which the server may go away: of hundreds hardly a batch would come through."""
    url, asked = make_url(postgresql), Counter[str]()
    assert url.port is not None

    def count(message: Message) -> Verdict:
        asked[message.type] += message.is_request and message.is_of_rows
        return Verdict.PASS

    with MessageProxy(url.port, count) as proxy:
        behind = url.set(host="127.0.0.1", port=proxy.port).render_as_string(hide_password=False)
        store = PostgresqlProjectionStore(behind, schema=postgresql_schema)
        build = Build(ledger()[1], 1)
        store.builds.begin(build, {})
        store.write(Batch(build, letters=[letter(n, "failed", f"a:{n}") for n in range(100)]))
        questions = []
        for first, streams in ((100, 2), (200, 100), (400, 100)):  # the first is prepared
            asked.clear()
            store.write(Batch(build, letters=[letter(first + n, "parked", f"a:{n}") for n in range(streams)]))
            questions.append(asked["S"] + asked["Q"])
        store.close()
    assert questions[2] <= questions[0] + 1, questions
