"""Mistakes in the signatures of handlers: seen when they are registered."""

from tests.mistakes.mistake import Mistake

MISTAKES = (
    Mistake(
        name="evolve_swapped",
        code="""\
@account.evolves
def deposited(event: Deposited, state: Account) -> Account:
    return state
""",
        seen_by="import",
        message=(
            "DomainError: deposited (evolve_swapped.py:1) of aggregate 'account': its first argument 'event' is "
            "Deposited, and must be the state, Account. Are the arguments swapped?"
        ),
        mypy='Value of type variable "Evolved" of "evolves" of "Aggregate" cannot be "Account"  [type-var]',
        pyright=(
            'Argument of type "(event: Deposited, state: Account) -> Account" cannot be assigned to parameter '
            '"function" of type "(Account, Evolved@evolves) -> Account" in function "evolves"'
        ),
    ),
    Mistake(
        name="two_handlers",
        code="""\
@account.decides
def deposit(state: Account, command: Deposit) -> Deposited:
    return Deposited(amount=command.amount)
@account.decides
def deposit_again(state: Account, command: Deposit) -> Deposited:
    return Deposited(amount=command.amount)
""",
        seen_by="import",
        message=(
            "DomainError: command 'deposit' of aggregate 'account' has two handlers: deposit (two_handlers.py:1) "
            "and deposit_again (two_handlers.py:4). One command, one decision; merge them or name a second "
            "command."
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="unannotated_argument",
        code="""\
@account.decides
def deposit(state: Account, command) -> Deposited:
    return Deposited(amount=1)
""",
        seen_by="import",
        message=(
            "DomainError: deposit (unannotated_argument.py:1) of aggregate 'account': argument 'command' has no "
            "annotation. Handlers are found by their annotations; they must take (state, command) or (state, "
            "command, context)."
        ),
        mypy="Function is missing a type annotation for one or more parameters  [no-untyped-def]",
        pyright=None,
    ),
    Mistake(
        name="no_return_annotation",
        code="""\
@account.decides
def deposit(state: Account, command: Deposit):
    return Deposited(amount=1)
""",
        seen_by="import",
        message=(
            "DomainError: deposit (no_return_annotation.py:1) of aggregate 'account': its return value has no "
            "annotation. Handlers are found by their annotations; they must take (state, command) or (state, "
            "command, context)."
        ),
        mypy="Function is missing a return type annotation  [no-untyped-def]",
        pyright=None,
    ),
    Mistake(
        name="event_of_another_aggregate",
        code="""\
class Delayed(Event): ...
@account.decides
def deposit(state: Account, command: Deposit) -> Delayed:
    return Delayed()
""",
        seen_by="import",
        message=(
            "DomainError: deposit (event_of_another_aggregate.py:2) of aggregate 'account': Delayed is not of the"
            " family AEvent, so it is no event of aggregate 'account'"
        ),
        mypy=(
            'Argument 1 to "decides" of "Aggregate" has incompatible type "Callable[[Account, Deposit], '
            'Delayed]"; expected "Callable[[Account, Deposit], AEvent | Sequence[AEvent] | None]"  [arg-type]'
        ),
        pyright=(
            'Argument of type "(state: Account, command: Deposit) -> Delayed" cannot be assigned to parameter '
            '"function" of type "(Account, **P@decides) -> (AEvent | Sequence[AEvent] | None)" in function '
            '"decides"'
        ),
    ),
    Mistake(
        name="returns_a_command",
        code="""\
@account.decides
def deposit(state: Account, command: Deposit) -> list[Deposit]:
    return [command]
""",
        seen_by="import",
        message=(
            "DomainError: deposit (returns_a_command.py:1) of aggregate 'account' returns Deposit, which is not "
            "an event. A decision cannot send commands; a process manager does."
        ),
        mypy=(
            'Argument 1 to "decides" of "Aggregate" has incompatible type "Callable[[Account, Deposit], '
            'list[Deposit]]"; expected "Callable[[Account, Deposit], AEvent | Sequence[AEvent] | None]"  '
            "[arg-type]"
        ),
        pyright=(
            'Argument of type "(state: Account, command: Deposit) -> list[Deposit]" cannot be assigned to '
            'parameter "function" of type "(Account, **P@decides) -> (AEvent | Sequence[AEvent] | None)" in '
            'function "decides"'
        ),
    ),
    Mistake(
        name="returns_none_annotation",
        code="""\
@account.decides
def deposit(state: Account, command: Deposit) -> None:
    Deposited(amount=1)
""",
        seen_by="import",
        message=(
            "DomainError: deposit (returns_none_annotation.py:1) of aggregate 'account' is annotated to return "
            "None: name the events it may return, as in `-> Deposited`, `-> Deposited | None`, `-> "
            "tuple[Withdrawn, Flagged]`"
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="emits_old_version",
        code="""\
class ChargedV1(Event, name="charged"):
    amount: int
@account.decides
def deposit(state: Account, command: Deposit) -> ChargedV1:
    return ChargedV1(amount=1)
""",
        seen_by="import",
        message=(
            "DomainError: deposit (emits_old_version.py:3) of aggregate 'account': ChargedV1 is not of the family"
            " AEvent, so it is no event of aggregate 'account'"
        ),
        mypy=(
            'Argument 1 to "decides" of "Aggregate" has incompatible type "Callable[[Account, Deposit], '
            'ChargedV1]"; expected "Callable[[Account, Deposit], AEvent | Sequence[AEvent] | None]"  [arg-type]'
        ),
        pyright=(
            'Argument of type "(state: Account, command: Deposit) -> ChargedV1" cannot be assigned to parameter '
            '"function" of type "(Account, **P@decides) -> (AEvent | Sequence[AEvent] | None)" in function '
            '"decides"'
        ),
    ),
    Mistake(
        name="type_checking_import",
        code="""\
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from tests.unit.kit.examples.cart import CartCheckedOut
@account.evolves
def ev(state: Account, event: CartCheckedOut) -> Account:
    return state
""",
        seen_by="import",
        message=(
            "DomainError: ev (type_checking_import.py:4) of aggregate 'account': name 'CartCheckedOut' is not "
            "defined. Handlers are found by their annotations: import the name outside `if TYPE_CHECKING`, above "
            "the handler."
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="transaction_of_another_aggregate",
        code="""\
class Car(State): ...
class Transfer(ACommand): ...
@account.transaction
def transfer(tx: Transaction[Car, AEvent], command: Transfer) -> None:
    tx.own.append(Withdrawn(amount=1))
""",
        seen_by="import",
        message=(
            "DomainError: transfer (transaction_of_another_aggregate.py:3) of aggregate 'account': its first "
            "argument 'tx' is Transaction[Car, AEvent], and must be Transaction[Account, AEvent]"
        ),
        mypy=(
            'Argument 1 to "transaction" of "Aggregate" has incompatible type "Callable[[Transaction[Car, '
            'AEvent], Transfer], None]"; expected "Callable[[Transaction[Account, AEvent], Transfer], None]"  '
            "[arg-type]"
        ),
        pyright=(
            'Argument of type "(tx: Transaction[Car, AEvent], command: Transfer) -> None" cannot be assigned to '
            'parameter "function" of type "(Transaction[Account, AEvent], Handled@transaction) -> None" in '
            'function "transaction"'
        ),
    ),
    Mistake(
        name="bare_transaction",
        code="""\
class Transfer(ACommand): ...
@account.transaction
def transfer(tx: Transaction, command: Transfer) -> None:
    tx.own.append(Withdrawn(amount=1))
""",
        seen_by="import",
        message=(
            "DomainError: transfer (bare_transaction.py:2) of aggregate 'account': its first argument 'tx' is "
            "Transaction, and must be Transaction[Account, AEvent]"
        ),
        mypy='Missing type arguments for generic type "Transaction"  [type-arg]',
        pyright=None,
    ),
    Mistake(
        name="rejected_in_a_projection",
        code="""\
class Balance(Row):
    account: Key[str]
    owner: str = ""
    balance: int = 0
balances = Projection("balances", rows=[Balance])
@balances.on_rejected
def refused(rejected: Rejected[Deposit]) -> Changes:
    return None
""",
        seen_by="import",
        message=(
            "DomainError: refused (rejected_in_a_projection.py:6) of projection 'balances' takes (rejected), and "
            "must take (rejection: RecordedRejection, recorded: Recorded)"
        ),
        mypy=(
            'Argument 1 to "on_rejected" of "Projection" has incompatible type "Callable[[Rejected[Deposit]], Put'
            ' | Update | Increment | Remove | Sequence[Put | Update | Increment | Remove] | None]"; expected '
            '"Callable[[RecordedRejection, Recorded], Put | Update | Increment | Remove | Sequence[Put | Update |'
            ' Increment | Remove] | None]"  [arg-type]'
        ),
        pyright=(
            'Argument of type "(rejected: Rejected[Deposit]) -> Changes" cannot be assigned to parameter '
            '"function" of type "RejectionHandler" in function "on_rejected"'
        ),
    ),
    Mistake(
        name="decides_with_parentheses",
        code="""\
@account.decides()
def deposit(state: Account, command: Deposit) -> Deposited:
    return Deposited(amount=command.amount)
""",
        seen_by="import",
        message=(
            "DomainError: @account.decides registers a function, and got nothing: write `@account.decides`, without "
            "parentheses, on the line above its `def`"
        ),
        mypy='Too few arguments for "decides" of "Aggregate"  [call-arg]',
        pyright="Expected 1 more positional argument",
    ),
    Mistake(
        name="on_with_an_event",
        code="""\
gifts = ProcessManager("gifts")
@gifts.on(Deposited)
def gift(event: Deposited, recorded: Recorded) -> Sends:
    return None
""",
        seen_by="import",
        message=(
            "DomainError: @gifts.on registers a function, and got Deposited: write `@gifts.on`, without parentheses, "
            "on the line above its `def`"
        ),
        mypy="Too few arguments  [call-arg]",
        pyright="Expected 1 more positional argument",
    ),
    Mistake(
        name="ignores_a_value",
        code="""\
account.ignores(Deposited(amount=1))
""",
        seen_by="import",
        message=(
            "DomainError: ignores() of aggregate 'account' takes classes of events, as in "
            "`ignores(Deposited)`, and got "
            "Deposited(amount=1)"
        ),
        mypy=(
            'Argument 1 to "ignores" of "Aggregate" has incompatible type "Deposited"; expected '
            '"type[AEvent]"  [arg-type]'
        ),
        pyright=(
            'Argument of type "Deposited" cannot be assigned to parameter "events" of type '
            '"type[AEvent]" in function "ignores"'
        ),
    ),
)
