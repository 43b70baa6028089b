"""Mistakes in what decisions return, change and reject with: seen by the kit."""

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
)
