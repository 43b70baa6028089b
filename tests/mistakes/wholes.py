"""Mistakes between the parts of an aggregate, a domain or an application: seen when they are put together."""

from tests.mistakes.mistake import Mistake

MISTAKES = (
    Mistake(
        name="missing_evolve",
        code="""\
@account.decides
def deposit(state: Account, command: Deposit) -> Deposited:
    return Deposited(amount=command.amount)
bank = Domain('bank', aggregates=[account])
""",
        seen_by="import",
        message=(
            "DomainError: domain 'bank' has 1 problem(s):\n"
            "- Deposited is returned by deposit but has no evolve in aggregate 'account': write `@account.evolves"
            " def ...(state: Account, event: Deposited)`, or `account.ignores(Deposited)`."
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="version_without_upcaster",
        code="""\
class Charged(AEvent, version=2):
    amount: int
@account.evolves
def charged(state: Account, event: Charged) -> Account:
    return state
bank = Domain("bank", aggregates=[account])
""",
        seen_by="import",
        message=(
            "DomainError: domain 'bank' has 1 problem(s):\n"
            "- charged is at version 2, and nothing reads version 1: write an upcaster from a class with "
            "`name='charged', version=1`. (A new field with a default needs no new version.)"
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="upcasters_in_a_circle",
        code="""\
class PaidV1(Event, name="paid"):
    amount: int
class PaidV2(Event, name="paid", version=2):
    cents: int
plain = Aggregate("plain", initial=Account())
@plain.upcasts
def v1(old: PaidV1) -> PaidV2:
    return PaidV2(cents=old.amount)
@plain.upcasts
def v2(old: PaidV2) -> PaidV1:
    return PaidV1(amount=old.cents)
bank = Domain("bank", aggregates=[plain])
""",
        seen_by="import",
        message=(
            "DomainError: domain 'bank' has 2 problem(s):\n"
            "- the upcaster of PaidV1 leads back to PaidV1: it never ends. Break the circle.\n"
            "- the upcaster of PaidV2 leads back to PaidV2: it never ends. Break the circle."
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="renamed_event_class",
        code="""\
class MoneyDeposited(AEvent):
    amount: int
@account.decides
def deposit(state: Account, command: Deposit) -> MoneyDeposited:
    return MoneyDeposited(amount=command.amount)
@account.evolves
def money_deposited(state: Account, event: MoneyDeposited) -> Account:
    return replace(state, balance=state.balance + event.amount)
def test() -> None:
    from shardlog.testing.kit import check_contract
    check_contract(Domain("bank", aggregates=[account]), {"account": {"events": {"deposited/1": {"amount": "int"}}}})
""",
        seen_by="kit",
        message=(
            "AssertionError: the contract is broken in 1 place(s):\n"
            "- journals hold account.deposited/1 {'amount': 'int'}, and no class reads it. If "
            "'money_deposited/1' is its new class name, say `name='deposited'` in that class."
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="engine_code_as_reject",
        code="""\
class Codes(StrEnum):
    TOO_LATE = "expired"
till = Aggregate("till", initial=Account(), rejects=Codes)
shop = Domain("shop", aggregates=[till])
""",
        seen_by="import",
        message=(
            "DomainError: domain 'shop' has 1 problem(s):\n"
            "- Codes.TOO_LATE of aggregate 'till' is 'expired': the engine itself rejects with it, and a caller "
            "could not tell them apart: take another"
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="listens_to_old_event",
        code="""\
@account.decides
def deposit(state: Account, command: Deposit) -> Deposited:
    return Deposited(amount=command.amount)
@account.evolves
def deposited(state: Account, event: Deposited) -> Account:
    return replace(state, balance=state.balance + event.amount)
class Gone(Event): ...
p = Projection("p", rows=[])
@p.on
def gone(event: Gone, recorded: Recorded) -> Changes:
    return None
app = Application([Domain("bank", aggregates=[account])], [p])
""",
        seen_by="import",
        message=(
            "DomainError: the application has 1 problem(s):\n"
            "- projection 'p' listens to Gone, which no aggregate of the application evolves (an aggregate left "
            "out?)"
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="listens_to_upcast_event",
        code="""\
@account.decides
def deposit(state: Account, command: Deposit) -> Deposited:
    return Deposited(amount=command.amount)
@account.evolves
def deposited(state: Account, event: Deposited) -> Account:
    return replace(state, balance=state.balance + event.amount)
class DepositedV0(Event, name="paid_in"):
    amount: int
@account.upcasts
def paid_in(old: DepositedV0) -> Deposited:
    return Deposited(amount=old.amount)
p = Projection("p", rows=[])
@p.on
def gone(event: DepositedV0, recorded: Recorded) -> Changes:
    return None
app = Application([Domain("bank", aggregates=[account])], [p])
""",
        seen_by="import",
        message=(
            "DomainError: the application has 1 problem(s):\n"
            "- projection 'p' listens to DepositedV0, an old event that is upcast before anybody hears it: listen"
            " to what its upcaster returns"
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="rejections_of_an_unknown_category",
        code="""\
class Refusal(Row, name="refusals"):
    code: Key[str]
    count: int = 0
refusals = Projection("refusals", rows=[Refusal], rejections=("acount",))
@refusals.on_rejected
def refused(rejection: RecordedRejection, recorded: Recorded) -> Changes:
    return increment(Refusal, rejection.code, count=1)
app = Application([Domain("bank", aggregates=[account])], [refusals])
""",
        seen_by="import",
        message=(
            "DomainError: the application has 1 problem(s):\n"
            "- projection 'refusals' listens to rejections of 'acount', which is no category of the application; "
            "did you mean 'account'?"
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="table_of_two_projections",
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
class Total(Row, name="balance"):
    branch: Key[str]
totals = Projection("totals", rows=[Total])
app = Application([Domain("bank", aggregates=[account])], [balances, totals])
""",
        seen_by="import",
        message=(
            "DomainError: the application has 1 problem(s):\n"
            "- projections 'balances' and 'totals' both keep the table 'balance': a table has one owner. Give one"
            " of the rows another `name=`."
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="aggregate_in_the_place_of_a_domain",
        code="""\
app = Application([account])
""",
        seen_by="import",
        message=(
            "DomainError: application: domains has Aggregate 'account', and takes Domain only: it belongs in "
            "`Domain(..., aggregates=[...])`"
        ),
        mypy='expected "Domain"',
        pyright='cannot be assigned to parameter "domains"',
    ),
    Mistake(
        name="one_aggregate_in_the_place_of_a_list",
        code="""\
bank = Domain("bank", aggregates=account)
""",
        seen_by="import",
        message=(
            "DomainError: domain 'bank': aggregates is Aggregate 'account', and must be a list of Aggregate: write "
            "`aggregates=[...]`"
        ),
        mypy='expected "Sequence[Aggregate[Any, Any, Any]]"',
        pyright='cannot be assigned to parameter "aggregates"',
    ),
    Mistake(
        name="personal_without_key_store",
        code="""\
class Invited(AEvent):
    email: Personal[str]
account.ignores(Invited)
app = Application([Domain("bank", aggregates=[account])])
""",
        seen_by="import",
        message=(
            "DomainError: the application has 1 problem(s):\n"
            "- Invited hold(s) Personal values, and no key store is configured to seal them with: configure one, "
            "or make the fields plain if they are about nobody"
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="sends_to_an_aggregate_left_out",
        code="""\
@account.decides
def deposit(state: Account, command: Deposit) -> Deposited:
    return Deposited(amount=command.amount)
@account.evolves
def deposited(state: Account, event: Deposited) -> Account:
    return replace(state, balance=state.balance + event.amount)
class Car(State): ...
class Honk(Command): ...
class Honked(Event): ...
car = Aggregate("car", initial=Car())
@car.decides
def honk(state: Car, command: Honk) -> Honked:
    return Honked()
car.ignores(Honked)
parking = ProcessManager("parking")
@parking.on
def parked(event: Deposited, recorded: Recorded) -> Sends:
    return car.send(recorded.id, Honk())
app = Application([Domain("bank", aggregates=[account], process_managers=[parking])])
""",
        seen_by="import",
        message=(
            "DomainError: the application has 1 problem(s):\n"
            "- parked (sends_to_an_aggregate_left_out.py:16) of process manager 'parking' sends to aggregate "
            "'car', which is in no domain of the application"
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="refusal_that_nobody_hears",
        code="""\
class Visit(ACommand): ...
class Visited(AEvent): ...
@account.decides
def visit(state: Account, command: Visit) -> Visited:
    return Visited()
@account.decides
def deposit(state: Account, command: Deposit) -> Deposited:
    reject(Refused.NOT_OPEN, "open the account first")
account.ignores(Visited, Deposited)
gifts = ProcessManager("gifts")
@gifts.on
def gift(event: Visited, recorded: Recorded) -> Sends:
    return account.send(recorded.id, Deposit(amount=1))
def test() -> None:
    Scenario(Domain("bank", aggregates=[account], process_managers=[gifts])).when(account.stream("a"), Visit())
""",
        seen_by="kit",
        message=(
            "AssertionError: Deposit, sent to account/a by process manager 'gifts', was refused "
            "(account_not_open: open the account first) and nobody listens: write `@gifts.on_rejected def "
            "...(rejected: Rejected[Deposit])`, or return an event instead of rejecting"
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="process_without_end",
        code="""\
@account.decides
def deposit(state: Account, command: Deposit) -> Deposited:
    return Deposited(amount=command.amount)
@account.evolves
def deposited(state: Account, event: Deposited) -> Account:
    return replace(state, balance=state.balance + event.amount)
billing = ProcessManager("billing")
@billing.on
def again(event: Deposited, recorded: Recorded) -> Sends:
    return account.send(recorded.id, Deposit(amount=1))
def test() -> None:
    bank = Domain("bank", aggregates=[account], process_managers=[billing])
    Scenario(bank).when(account.stream("a"), Deposit(amount=1))
""",
        seen_by="kit",
        message=(
            "AssertionError: process managers sent more than 1000 commands for one: a loop? The next would be "
            "Deposit(amount=1) to account/a by 'billing'."
        ),
        mypy=None,
        pyright=None,
    ),
)
