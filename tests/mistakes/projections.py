"""Mistakes in what projections write: seen by the kit."""

from tests.mistakes.mistake import Mistake

MISTAKES = (
    Mistake(
        name="column_typo",
        code="""\
@account.decides
def deposit(state: Account, command: Deposit) -> Deposited:
    return Deposited(amount=command.amount)
@account.evolves
def deposited(state: Account, event: Deposited) -> Account:
    return replace(state, balance=state.balance + event.amount)
class Balance(Row):
    account: Key[str]
    balance: int
balances = Projection("balances", rows=[Balance])
@balances.on
def up(event: Deposited, recorded: Recorded) -> Changes:
    return update(Balance, recorded.id, balanse=add(event.amount))
def test() -> None:
    project(balances, on(account.stream("a"), Deposited(amount=1)))
""",
        seen_by="kit",
        message="DomainError: Balance has no column 'balanse' to update; did you mean 'balance'?",
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="increment_of_text_column",
        code="""\
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
balances = Projection("balances", rows=[Balance])
@balances.on
def up(event: Deposited, recorded: Recorded) -> Changes:
    return increment(Balance, recorded.id, owner=1)
def test() -> None:
    project(balances, on(account.stream("a"), Deposited(amount=1)))
""",
        seen_by="kit",
        message=(
            "DomainError: Balance.owner is no int, and only int columns can be incremented: count in an int "
            "column with a default, or use put or update"
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="increment_without_default",
        code="""\
@account.decides
def deposit(state: Account, command: Deposit) -> Deposited:
    return Deposited(amount=command.amount)
@account.evolves
def deposited(state: Account, event: Deposited) -> Account:
    return replace(state, balance=state.balance + event.amount)
class Balance(Row):
    account: Key[str]
    owner: str
    balance: int = 0
balances = Projection("balances", rows=[Balance])
@balances.on
def up(event: Deposited, recorded: Recorded) -> Changes:
    return increment(Balance, recorded.id, balance=event.amount)
def test() -> None:
    project(balances, on(account.stream("a"), Deposited(amount=1)))
""",
        seen_by="kit",
        message=(
            "DomainError: Balance cannot be incremented: column(s) owner have no default, and a missing row is "
            "inserted from the defaults. Give them one, or use put."
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="key_too_short",
        code="""\
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
balances = Projection("balances", rows=[Balance])
@balances.on
def up(event: Deposited, recorded: Recorded) -> Changes:
    return remove(Balance)
def test() -> None:
    project(balances, on(account.stream("a"), Deposited(amount=1)))
""",
        seen_by="kit",
        message="DomainError: Balance has the key (account), and got 0 value(s): ()",
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="row_from_two_routing_keys",
        code="""\
@account.decides
def deposit(state: Account, command: Deposit) -> Deposited:
    return Deposited(amount=command.amount)
@account.evolves
def deposited(state: Account, event: Deposited) -> Account:
    return replace(state, balance=state.balance + event.amount)
class Largest(Row):
    currency: Key[str]
    amount: int
largest = Projection("largest", rows=[Largest])
@largest.on
def up(event: Deposited, recorded: Recorded) -> Changes:
    return put(Largest(currency="eur", amount=event.amount))
def test() -> None:
    a, b = account.stream("a"), account.stream("b")
    project(largest, on(a, Deposited(amount=1)), on(b, Deposited(amount=2)))
""",
        seen_by="kit",
        message=(
            "DomainError: row Largest('eur',) of projection 'largest' is written from two routing keys: put from "
            "account/a (routing key 'a') and put from account/b (routing key 'b'). Their shards are read in any "
            "order, so a rebuild could give another row: write it with `increment` only, or put the routing key "
            "into its key."
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="forgotten_return_in_a_projection",
        code="""\
@account.decides
def deposit(state: Account, command: Deposit) -> Deposited:
    return Deposited(amount=command.amount)
@account.evolves
def deposited(state: Account, event: Deposited) -> Account:
    return replace(state, balance=state.balance + event.amount)
class Balance(Row):
    account: Key[str]
    balance: int = 0
balances = Projection("balances", rows=[Balance])
@balances.on
def up(event: Deposited, recorded: Recorded) -> Changes:
    increment(Balance, recorded.id, balance=event.amount)
def test() -> None:
    came = on(account.stream("a"), Deposited(amount=1))
    project(balances, came).then_rows(Balance(account="a", balance=1))
""",
        seen_by="kit",
        message=(
            "DomainError: up (forgotten_return_in_a_projection.py:11) calls increment and returned None: a forgotten "
            "`return`?"
        ),
        mypy="Missing return statement  [return]",
        pyright=None,
    ),
    Mistake(
        name="update_of_a_row_that_is_not_there",
        code="""\
@account.decides
def deposit(state: Account, command: Deposit) -> Deposited:
    return Deposited(amount=command.amount)
@account.evolves
def deposited(state: Account, event: Deposited) -> Account:
    return replace(state, balance=state.balance + event.amount)
class Balance(Row):
    account: Key[str]
    balance: int = 0
balances = Projection("balances", rows=[Balance])
@balances.on
def up(event: Deposited, recorded: Recorded) -> Changes:
    return update(Balance, recorded.id, balance=add(event.amount))
def test() -> None:
    came = on(account.stream("a"), Deposited(amount=1))
    project(balances, came).then_rows(Balance(account="a", balance=1))
""",
        seen_by="kit",
        message=(
            "AssertionError: \n  expected [\"Balance(account='a', balance=1)\"]\n  got      []\n  up "
            "(update_of_a_row_that_is_not_there.py:11)"
            " changed nothing: there was no Balance('a',) to update. `put` it first, or use `increment`, which inserts."
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="integer_beyond_64_bits",
        code="""\
@account.decides
def deposit(state: Account, command: Deposit) -> Deposited:
    return Deposited(amount=command.amount)
@account.evolves
def deposited(state: Account, event: Deposited) -> Account:
    return replace(state, balance=state.balance + event.amount)
class Balance(Row):
    account: Key[str]
    balance: int
balances = Projection("balances", rows=[Balance])
@balances.on
def up(event: Deposited, recorded: Recorded) -> Changes:
    return put(Balance(account=recorded.id, balance=event.amount))
def test() -> None:
    project(balances, on(account.stream("a"), Deposited(amount=2**63)))
""",
        seen_by="kit",
        message=(
            "DomainError: up (integer_beyond_64_bits.py:11): table 'balance', column 'balance' takes no "
            "9223372036854775808: an integer has 64 bits, from -9223372036854775808 to 9223372036854775807. Put a "
            "limit on the command: `Annotated[int, Meta(le=...)]`"
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="row_that_is_not_named",
        code="""\
@account.decides
def deposit(state: Account, command: Deposit) -> Deposited:
    return Deposited(amount=command.amount)
@account.evolves
def deposited(state: Account, event: Deposited) -> Account:
    return replace(state, balance=state.balance + event.amount)
class Balance(Row):
    account: Key[str]
    balance: int = 0
class Total(Row):
    day: Key[str]
    amount: int = 0
balances = Projection("balances", rows=[Balance])
@balances.on
def up(event: Deposited, recorded: Recorded) -> Changes:
    return increment(Total, "today", amount=1)
def test() -> None:
    project(balances, on(account.stream("a"), Deposited(amount=1)))
""",
        seen_by="kit",
        message=(
            "DomainError: Total: projection 'balances' has no such row. Name it there: `Projection('balances', "
            "rows=[Balance, Total])`"
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="row_that_is_not_named_in_an_application",
        code="""\
@account.decides
def deposit(state: Account, command: Deposit) -> Deposited:
    return Deposited(amount=command.amount)
@account.evolves
def deposited(state: Account, event: Deposited) -> Account:
    return replace(state, balance=state.balance + event.amount)
class Balance(Row):
    account: Key[str]
    balance: int = 0
class Total(Row):
    day: Key[str]
    amount: int = 0
balances = Projection("balances", rows=[Balance])
def totals(amount: int) -> Changes:
    return [increment(Total, "today", amount=amount) for _ in range(1)]
@balances.on
def up(event: Deposited, recorded: Recorded) -> Changes:
    return totals(1)
app = Application([Domain("bank", aggregates=[account])], [balances])
""",
        seen_by="import",
        message=(
            "DomainError: the application has 1 problem(s):\n- up "
            "(row_that_is_not_named_in_an_application.py:16) writes Total: projection "
            "'balances' has no such row. Name it there: `Projection('balances', rows=[Balance, Total])`"
        ),
        mypy=None,
        pyright=None,
    ),
)
