"""Mistakes in transactions and process managers, which reach beyond one stream: seen by the kit."""

from tests.mistakes.mistake import Mistake

MISTAKES = (
    Mistake(
        name="load_of_another_routing_key",
        code="""\
@account.decides
def deposit(state: Account, command: Deposit) -> Deposited:
    return Deposited(amount=command.amount)
@account.evolves
def deposited(state: Account, event: Deposited) -> Account:
    return replace(state, balance=state.balance + event.amount)
class Transfer(ACommand):
    to: StreamId
@account.transaction
def transfer(tx: Transaction[Account, AEvent], command: Transfer) -> None:
    tx.own.append(Withdrawn(amount=1))
    tx.load(account.stream(command.to)).append(Deposited(amount=1))
account.ignores(Withdrawn)
def test() -> None:
    a, b = account.stream("a"), account.stream("b")
    given(a).when(Transfer(to="b")).then_exactly(on(a, Withdrawn(amount=1)), on(b, Deposited(amount=1)))
""",
        seen_by="kit",
        message=(
            "AssertionError: expected events, but the command was rejected: other_routing_key: a transaction at "
            "account/a (routing key 'a') cannot load account/b (routing key 'b'): give both ids the same leading "
            "parts, or use a process manager"
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="append_of_another_aggregates_event",
        code="""\
class Honked(Event): ...
class Transfer(ACommand): ...
@account.transaction
def transfer(tx: Transaction[Account, AEvent], command: Transfer) -> None:
    tx.own.append(Honked())
def test() -> None:
    given(account).when(Transfer()).then_nothing()
""",
        seen_by="kit",
        message="DomainError: Honked has no evolve in aggregate 'account'",
        mypy=(
            'Argument 1 to "append" of "Loaded" has incompatible type "Honked"; expected "AEvent | '
            'Sequence[AEvent] | None"  [arg-type]'
        ),
        pyright=(
            'Argument of type "Honked" cannot be assigned to parameter "events" of type "AEvent | '
            'Sequence[AEvent] | None" in function "append"'
        ),
    ),
    Mistake(
        name="sends_no_command",
        code="""\
@account.decides
def deposit(state: Account, command: Deposit) -> Deposited:
    return Deposited(amount=command.amount)
@account.evolves
def deposited(state: Account, event: Deposited) -> Account:
    return replace(state, balance=state.balance + event.amount)
gifts = ProcessManager("gifts")
@gifts.on
def gift(event: Deposited, recorded: Recorded) -> Sends:
    return account.send(recorded.id, Deposit)
def test() -> None:
    bank = Domain("bank", aggregates=[account], process_managers=[gifts])
    Scenario(bank).when(account.stream("a"), Deposit(amount=1))
""",
        seen_by="kit",
        message=("DomainError: aggregate 'account' is sent Deposit, which is no command: write `Deposit(...)`"),
        mypy=(
            'Argument 2 to "send" of "Aggregate" has incompatible type "type[Deposit]"; expected "ACommand"  [arg-type]'
        ),
        pyright=(
            'Argument of type "type[Deposit]" cannot be assigned to parameter "command" of type '
            '"ACommand" in function "send"'
        ),
    ),
    Mistake(
        name="forgotten_return_in_a_process_manager",
        code="""\
@account.decides
def deposit(state: Account, command: Deposit) -> Deposited:
    return Deposited(amount=command.amount)
@account.evolves
def deposited(state: Account, event: Deposited) -> Account:
    return replace(state, balance=state.balance + event.amount)
gifts = ProcessManager("gifts")
@gifts.on
def gift(event: Deposited, recorded: Recorded) -> Sends:
    account.send(recorded.id, Deposit(amount=1))
def test() -> None:
    bank = Domain("bank", aggregates=[account], process_managers=[gifts])
    Scenario(bank).when(account.stream("a"), Deposit(amount=1))
""",
        seen_by="kit",
        message=(
            "DomainError: gift (forgotten_return_in_a_process_manager.py:8) calls send and returned None: a forgotten "
            "`return`?"
        ),
        mypy="Missing return statement  [return]",
        pyright=None,
    ),
)
