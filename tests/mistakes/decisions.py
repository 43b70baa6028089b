"""Mistakes in what decisions and evolves do: seen by the kit."""

from tests.mistakes.mistake import Mistake

MISTAKES = (
    Mistake(
        name="event_not_annotated_but_returned",
        code="""\
class Odd(AEvent): ...
@account.decides
def deposit(state: Account, command: Deposit) -> Deposited:
    return Odd()
@account.evolves
def deposited(state: Account, event: Deposited) -> Account:
    return replace(state, balance=state.balance + event.amount)
def test() -> None:
    given(account).when(Deposit(amount=1)).then(Deposited(amount=1))
""",
        seen_by="kit",
        message="DomainError: deposit returned Odd, and is annotated to return Deposited",
        mypy='Incompatible return value type (got "Odd", expected "Deposited")  [return-value]',
        pyright='Type "Odd" is not assignable to return type "Deposited"',
    ),
    Mistake(
        name="forgotten_return_in_decide",
        code="""\
@account.decides
def deposit(state: Account, command: Deposit) -> Deposited:
    Deposited(amount=1)
@account.evolves
def deposited(state: Account, event: Deposited) -> Account:
    return replace(state, balance=state.balance + event.amount)
def test() -> None:
    given(account).when(Deposit(amount=1)).then(Deposited(amount=1))
""",
        seen_by="kit",
        message="DomainError: deposit returned None, and is annotated to return Deposited: a forgotten `return`?",
        mypy="Missing return statement  [return]",
        pyright='Function with declared return type "Deposited" must return value on all code paths',
    ),
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
        name="decide_mutates_state",
        code="""\
class Bag(State):
    items: Mapping[str, int] = {}
class Put(Command):
    what: str
class Was(Event):
    what: str
bag = Aggregate("bag", initial=Bag())
@bag.decides
def putting(state: Bag, command: Put) -> Was:
    state.items[command.what] = 1
    return Was(what=command.what)
@bag.evolves
def was(state: Bag, event: Was) -> Bag:
    return state
def test() -> None:
    given(bag).when(Put(what="x")).then(Was(what="x"))
""",
        seen_by="kit",
        message=(
            "AssertionError: putting changed the state: a decision returns events, and evolve builds the next state"
        ),
        mypy='Unsupported target for indexed assignment ("Mapping[str, int]")  [index]',
        pyright='"__setitem__" method not defined on type "Mapping[str, int]"',
    ),
    Mistake(
        name="assigns_state",
        code="""\
@account.decides
def deposit(state: Account, command: Deposit) -> Deposited:
    state.balance = 5
    return Deposited(amount=1)
@account.evolves
def deposited(state: Account, event: Deposited) -> Account:
    return replace(state, balance=state.balance + event.amount)
def test() -> None:
    given(account).when(Deposit(amount=1)).then(Deposited(amount=1))
""",
        seen_by="kit",
        message="AttributeError: immutable type: 'Account'",
        mypy='Property "balance" defined in "Account" is read-only  [misc]',
        pyright='Cannot assign to attribute "balance" for class "Account"',
    ),
    Mistake(
        name="unknown_code",
        code="""\
@account.decides
def deposit(state: Account, command: Deposit) -> Deposited:
    reject("acount_not_open", "no")
@account.evolves
def deposited(state: Account, event: Deposited) -> Account:
    return replace(state, balance=state.balance + event.amount)
def test() -> None:
    given(account).when(Deposit(amount=1)).then(Deposited(amount=1))
""",
        seen_by="kit",
        message=(
            "DomainError: Deposit was rejected with 'acount_not_open', which is not in Refused; did you mean "
            "'account_not_open'?"
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="unknown_code_enum",
        code="""\
@account.decides
def deposit(state: Account, command: Deposit) -> Deposited:
    reject(Refused.NOT_OPENED, "no")
@account.evolves
def deposited(state: Account, event: Deposited) -> Account:
    return replace(state, balance=state.balance + event.amount)
def test() -> None:
    given(account).when(Deposit(amount=1)).then(Deposited(amount=1))
""",
        seen_by="kit",
        message="AttributeError: NOT_OPENED",
        mypy='"type[Refused]" has no attribute "NOT_OPENED"  [attr-defined]',
        pyright='Cannot access attribute "NOT_OPENED" for class "type[Refused]"',
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
    Mistake(
        name="no_family_ok",
        code="""\
plain = Aggregate("plain", initial=Account())
@plain.decides
def d(state: Account, command: Deposit) -> Deposited:
    return Deposited(amount=command.amount)
@plain.evolves
def e(state: Account, event: Deposited) -> Account:
    return state
def test() -> None:
    given(plain).when(Deposit(amount=1)).then(Deposited(amount=1))
""",
        seen_by=None,
        message=None,
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="engine_code_at_run_time",
        code="""\
plain = Aggregate("plain", initial=Account())
@plain.decides
def deposit(state: Account, command: Deposit) -> Deposited:
    reject("expired", "too late")
@plain.evolves
def deposited(state: Account, event: Deposited) -> Account:
    return replace(state, balance=state.balance + event.amount)
def test() -> None:
    given(plain).when(Deposit(amount=1)).then_rejected("expired")
""",
        seen_by="kit",
        message=(
            "DomainError: Deposit was rejected with the code 'expired': the engine itself rejects with it, "
            "and a caller "
            "could not tell them apart: take another"
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="code_that_is_a_sentence",
        code="""\
plain = Aggregate("plain", initial=Account())
@plain.decides
def deposit(state: Account, command: Deposit) -> Deposited:
    reject("Too late", "come tomorrow")
@plain.evolves
def deposited(state: Account, event: Deposited) -> Account:
    return replace(state, balance=state.balance + event.amount)
def test() -> None:
    given(plain).when(Deposit(amount=1)).then_rejected("Too late")
""",
        seen_by="kit",
        message=(
            "DomainError: Deposit was rejected with the code 'Too late': a code is snake case, a-z 0-9 _ "
            "from a letter on, "
            "and of 1 to 64 characters"
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="decide_returns_a_list_ok",
        code="""\
@account.decides
def deposit(state: Account, command: Deposit) -> list[Deposited]:
    return [Deposited(amount=1)] * command.amount
@account.evolves
def deposited(state: Account, event: Deposited) -> Account:
    return replace(state, balance=state.balance + event.amount)
def test() -> None:
    given(account).when(Deposit(amount=2)).then(Deposited(amount=1), Deposited(amount=1))
""",
        seen_by=None,
        message=None,
        mypy=None,
        pyright=None,
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
