"""Mistakes in handlers of batches, joins and windows of time."""

from tests.mistakes.mistake import Mistake

_ACCOUNT = """\
@account.decides
def deposit(state: Account, command: Deposit) -> Deposited:
    return Deposited(amount=command.amount)
@account.evolves
def deposited(state: Account, event: Deposited) -> Account:
    return replace(state, balance=state.balance + event.amount)
class Balance(Row):
    account: Key[str]
    owner: str = ""
    balance: int = 0
class Owner(Row):
    name: Key[str]
    accounts: int = 0
"""

MISTAKES = (
    Mistake(
        name="batch_of_an_event",
        code=_ACCOUNT
        + """\
balances = Projection("balances", rows=[Balance])
@balances.batch
def up(event: Deposited) -> None: ...
""",
        seen_by="import",
        message=(
            "DomainError: up (batch_of_an_event.py:15) of projection 'balances' takes (Deposited), and must take "
            "(batch: Batch[SomeEvent | AnotherEvent]). Events one by one are heard with `on`."
        ),
        mypy='Argument 1 to "batch" of "Projection" has incompatible type "Callable[[Deposited], None]"',
        pyright='Type "(event: Deposited) -> None" is not assignable to type "(Batch[Heard@batch]) -> None"',
    ),
    Mistake(
        name="batch_of_rows",
        code=_ACCOUNT
        + """\
balances = Projection("balances", rows=[Balance])
@balances.batch
def up(batch: Batch[Balance]) -> None: ...
""",
        seen_by="import",
        message=(
            "DomainError: up (batch_of_rows.py:15) of projection 'balances' takes Batch[Balance], and a batch is of "
            "events: (batch: Batch[SomeEvent | AnotherEvent])"
        ),
        mypy='Type argument "Balance" of "Batch" must be a subtype of "Event"',
        pyright='"Balance" is not assignable to "Event"',
    ),
    Mistake(
        name="batch_that_returns_changes",
        code=_ACCOUNT
        + """\
balances = Projection("balances", rows=[Balance])
@balances.batch
def up(batch: Batch[Deposited]) -> Changes:
    return [increment(Balance, recorded.id, balance=event.amount) for event, recorded in batch.events]
""",
        seen_by="import",
        message=(
            "DomainError: up (batch_that_returns_changes.py:15) of projection 'balances' is annotated to return Put | "
            "Update | Increment | Remove | Sequence[Put | Update | Increment | Remove] | None, and must return None: "
            "it writes with batch.connection. Changes of rows are returned by handlers that are registered with `on`."
        ),
        mypy='Argument 1 to "batch" of "Projection" has incompatible type',
        pyright="is not assignable to",
    ),
    Mistake(
        name="batch_projected_in_dictionaries",
        code=_ACCOUNT
        + """\
balances = Projection("balances", rows=[Balance])
@balances.batch
def up(batch: Batch[Deposited]) -> None: ...
def test() -> None:
    project(balances, on(account.stream("a"), Deposited(amount=1)))
""",
        seen_by="kit",
        message=(
            "DomainError: projection 'balances' has handlers of batches, which write with SQL, and the kit keeps rows "
            "in dictionaries: test it with project_sql of shardlog.testing.sql"
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="join_on_a_typo",
        code=_ACCOUNT
        + """\
join = Join("balances_with_owners", Balance, Owner, on={"ower": "name"})
""",
        seen_by="import",
        message=(
            "DomainError: join 'balances_with_owners': on names 'ower', and Balance has no such column; did you mean "
            "'owner'?"
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="join_of_a_row_that_is_not_declared",
        code=_ACCOUNT
        + """\
join = Join("balances_with_owners", Balance, Owner, on={"owner": "name"})
balances = Projection("balances", rows=[Balance], views=[join])
""",
        seen_by="import",
        message=(
            "DomainError: join 'balances_with_owners' is of Owner: projection 'balances' has no such row. Name it "
            "there: `Projection('balances', rows=[Balance, Owner])`"
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="join_among_rows",
        code=_ACCOUNT
        + """\
join = Join("balances_with_owners", Balance, Owner, on={"owner": "name"})
balances = Projection("balances", rows=[Balance, Owner, join])
""",
        seen_by="import",
        message=(
            "DomainError: projection 'balances': rows has Join 'balances_with_owners', and takes classes derived from "
            "Row only: it belongs in `Projection(..., views=[...])`"
        ),
        mypy='List item 2 has incompatible type "Join"; expected "type[Row]"',
        pyright='Type "Join" is not assignable to type "type[Row]"',
    ),
    Mistake(
        name="window_without_a_size",
        code=_ACCOUNT
        + """\
class Minute(Row):
    start: Key[AwareDatetime]
    deposits: int = 0
minutes = Projection("minutes", rows=[Minute])
@minutes.on
def count(event: Deposited, recorded: Recorded) -> Changes:
    return increment(Minute, tumbling(recorded.occurred_at), deposits=1)
def test() -> None:
    project(minutes, on(account.stream("a"), Deposited(amount=1)))
""",
        seen_by="kit",
        message=(
            "DomainError: tumbling: the size is nothing, and must be whole seconds from 1 s to 366 days: write "
            "`minutes=5`"
        ),
        mypy=None,
        pyright=None,
    ),
)
