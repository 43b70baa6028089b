"""Mistakes in evolves, and in the histories and commands that a test gives them: seen by the kit."""

from tests.mistakes.mistake import Mistake

MISTAKES = (
    Mistake(
        name="forgotten_return_in_evolve",
        code="""\
@account.decides
def deposit(state: Account, command: Deposit) -> Deposited:
    return Deposited(amount=command.amount)
@account.evolves
def deposited(state: Account, event: Deposited) -> Account:
    replace(state, balance=1)
def test() -> None:
    given(account).when(Deposit(amount=1)).then(Deposited(amount=1))
""",
        seen_by="kit",
        message="DomainError: deposited returned None: an evolve returns the next state (a forgotten `return`?)",
        mypy="Missing return statement  [return]",
        pyright='Function with declared return type "Account" must return value on all code paths',
    ),
    Mistake(
        name="replace_typo",
        code="""\
@account.decides
def deposit(state: Account, command: Deposit) -> Deposited:
    return Deposited(amount=command.amount)
@account.evolves
def deposited(state: Account, event: Deposited) -> Account:
    return replace(state, balanc=state.balance + event.amount)
def test() -> None:
    given(account).when(Deposit(amount=1)).then(Deposited(amount=1))
""",
        seen_by="kit",
        message=(
            "DomainError: deposited raised TypeError: `Account` has no field 'balanc', on Deposited(amount=1) and"
            " Account(open=False, balance=0). An evolve never refuses: the event has happened. In production the "
            "command would be rejected (internal_error), and on replay the shard would stop."
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="evolve_raises_on_history",
        code="""\
@account.decides
def deposit(state: Account, command: Deposit) -> Deposited:
    return Deposited(amount=command.amount)
@account.evolves
def deposited(state: Account, event: Deposited) -> Account:
    return replace(state, balance=state.balance + {1: 1}[event.amount])
def test() -> None:
    given(account, Deposited(amount=7)).when(Deposit(amount=1)).then(Deposited(amount=1))
""",
        seen_by="kit",
        message=(
            "DomainError: deposited raised KeyError: 7, on Deposited(amount=7) and Account(open=False, "
            "balance=0). An evolve never refuses: the event has happened. In production the command would be "
            "rejected (internal_error), and on replay the shard would stop."
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="wrong_command_to_when",
        code="""\
@account.decides
def deposit(state: Account, command: Deposit) -> Deposited:
    return Deposited(amount=command.amount)
@account.evolves
def deposited(state: Account, event: Deposited) -> Account:
    return replace(state, balance=state.balance + event.amount)
class Fly(Command): ...
def test() -> None:
    given(account).when(Fly()).then_nothing()
""",
        seen_by="kit",
        message="DomainError: aggregate 'account' has no handler for Fly. It handles: Deposit",
        mypy='Argument 1 to "when" of "Given" has incompatible type "Fly"; expected "ACommand"  [arg-type]',
        pyright=(
            'Argument of type "Fly" cannot be assigned to parameter "command" of type "ACommand" in function "when"'
        ),
    ),
    Mistake(
        name="given_foreign_event",
        code="""\
@account.decides
def deposit(state: Account, command: Deposit) -> Deposited:
    return Deposited(amount=command.amount)
@account.evolves
def deposited(state: Account, event: Deposited) -> Account:
    return replace(state, balance=state.balance + event.amount)
class Delayed(Event): ...
def test() -> None:
    given(account, Delayed()).when(Deposit(amount=1)).then_nothing()
""",
        seen_by="kit",
        message="DomainError: Delayed has no evolve in aggregate 'account'",
        mypy='Cannot infer value of type parameter "E" of "given"  [misc]',
        pyright=(
            'Argument of type "Aggregate[Account, ACommand, AEvent]" cannot be assigned to parameter "aggregate" '
            'of type "Aggregate[S@given, C@given, E@given] | Stream[S@given, C@given, E@given]" in function '
            '"given"'
        ),
    ),
    Mistake(
        name="imported_twice",
        code="""\
import importlib.util, sys
import tests.unit.kit.examples.bank as one
spec = importlib.util.find_spec("tests.unit.kit.examples.bank")
assert spec and spec.loader and spec.origin
spec2 = importlib.util.spec_from_file_location("bank", spec.origin)
assert spec2 and spec2.loader
two: Any = importlib.util.module_from_spec(spec2)
sys.modules["bank"] = two
spec2.loader.exec_module(two)
def test() -> None:
    given(one.account, two.Opened(owner="x")).when(one.Deposit(amount=1)).then(one.Deposited(amount=1))
""",
        seen_by="kit",
        message=(
            "DomainError: Opened has no evolve in aggregate 'account': it is known as "
            "tests.unit.kit.examples.bank.Opened, and this one is bank.Opened. Was the module imported under two "
            "names?"
        ),
        mypy=None,
        pyright=None,
    ),
)
