"""Mistakes in messages and ids: seen when the class is made, or a handler or a stream names it."""

from tests.mistakes.mistake import Mistake

MISTAKES = (
    Mistake(
        name="mutable_default",
        code="""\
class Basket(State):
    items: list[str] = ['a']
""",
        seen_by="import",
        message=(
            "DomainError: Basket has a mutable default (['a']), which all its instances would share: use a tuple "
            "or a frozenset."
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="mutable_field",
        code="""\
class Basket(State):
    items: list[str] = []
basket = Aggregate('basket', initial=Basket())
""",
        seen_by="import",
        message=(
            "DomainError: Basket.items is a list, which can be changed in place: a change made by a command that "
            "is then rejected would stay. Annotate it tuple[X, ...]."
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="mutable_struct_inside",
        code="""\
import msgspec
class Address(msgspec.Struct):
    street: str
class Moved(AEvent):
    to: Address
account.ignores(Moved)
""",
        seen_by="import",
        message=(
            "DomainError: Moved.to holds Address, which can be changed in place: make it `class "
            "Address(msgspec.Struct, frozen=True)`."
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="struct_keyword",
        code="""\
class Basket(State, frozen=False):
    items: int = 0
""",
        seen_by="import",
        message=(
            "DomainError: Basket: frozen= cannot be set: messages are frozen and keyword-only. A message says "
            "name=, version= and floats=, nothing else."
        ),
        mypy="Non-frozen dataclass cannot inherit from a frozen dataclass  [misc]",
        pyright="A non-frozen class cannot inherit from a class that is frozen",
    ),
    Mistake(
        name="float_for_money",
        code="""\
class Charged(AEvent):
    amount: float
@account.evolves
def charged(state: Account, event: Charged) -> Account:
    return state
""",
        seen_by="import",
        message=(
            "DomainError: Charged.amount is a float: 0.1 + 0.2 is not 0.3, and nan has no JSON form. For money "
            "use int in minor units (cents) or Decimal; for a measurement say `class Charged(..., floats=True)`."
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="not_serialisable",
        code="""\
class Weird(AEvent):
    by: random.Random
@account.evolves
def weird(state: Account, event: Weird) -> Account:
    return state
""",
        seen_by="import",
        message=(
            "DomainError: Weird.by holds Random, which has no JSON form. Use str, int, bool, Decimal, "
            "AwareDatetime, date, UUID, Enum, a struct, or tuples and Mappings of these."
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="any_field",
        code="""\
class Weird(AEvent):
    data: Any
@account.evolves
def weird(state: Account, event: Weird) -> Account:
    return state
""",
        seen_by="import",
        message="DomainError: Weird.data is Any: say its type, so that the journal can be read back.",
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="limit_on_event",
        code="""\
class Charged(AEvent):
    amount: Annotated[int, Meta(gt=0)]
@account.evolves
def charged(state: Account, event: Charged) -> Account:
    return state
""",
        seen_by="import",
        message=(
            "DomainError: Charged.amount has a limit (msgspec.Meta(gt=0)): an event has happened and must always "
            "be readable, a limit would stop the shard on replay. Put the limit on the command."
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="state_needs_argument",
        code="""\
class Bad(State):
    owner: str
bad = Aggregate('bad', initial=Bad())
""",
        seen_by="import",
        message="TypeError: Missing required argument 'owner'",
        mypy='Missing named argument "owner" for "Bad"  [call-arg]',
        pyright='Argument missing for parameter "owner"',
    ),
    Mistake(
        name="wrong_field_type",
        code="""\
@account.decides
def deposit(state: Account, command: Deposit) -> Deposited:
    return Deposited(amount="5")
@account.evolves
def deposited(state: Account, event: Deposited) -> Account:
    return replace(state, balance=state.balance + event.amount)
def test() -> None:
    given(account).when(Deposit(amount=1)).then(Deposited(amount=1))
""",
        seen_by="kit",
        message=(
            "DomainError: Deposited(amount='5') does not survive the codec: Expected `int`, got `str` - at `$.amount`"
        ),
        mypy='Argument "amount" to "Deposited" has incompatible type "str"; expected "int"  [arg-type]',
        pyright=(
            'Argument of type "Literal[\'5\']" cannot be assigned to parameter "amount" of type "int" in function '
            '"__init__"'
        ),
    ),
    Mistake(
        name="same_class_twice",
        code="""\
@account.decides
def deposit(state: Account, command: Deposit) -> Deposited:
    return Deposited(amount=command.amount)
@account.evolves
def deposited(state: Account, event: Deposited) -> Account:
    return replace(state, balance=state.balance + event.amount)
class Second(AEvent, name="deposited"):
    amount: int
@account.evolves
def second(state: Account, event: Second) -> Account:
    return state
""",
        seen_by="import",
        message=(
            "DomainError: two classes are 'deposited' version 1 in aggregate 'account': "
            "same_class_twice.Deposited and same_class_twice.Second. Give one of them `name=` or the next "
            "`version=`."
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="id_with_slash",
        code="""\
account.stream('acme/001')
""",
        seen_by="import",
        message=(
            "InvalidId: invalid_id: 'acme/001' is no id for 'account': up to 200 of A-Z a-z 0-9 _ . ~ - in parts "
            "joined by ':', each with a letter or digit; write 'acme:001'"
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="id_part_without_letter",
        code="""\
account.stream('acme:..')
""",
        seen_by="import",
        message=(
            "InvalidId: invalid_id: 'acme:..' is no id for 'account': up to 200 of A-Z a-z 0-9 _ . ~ - in parts "
            "joined by ':', each with a letter or digit"
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="mapping_with_int_keys",
        code="""\
class Counted(AEvent):
    seats: Mapping[int, str]
account.ignores(Counted)
""",
        seen_by="import",
        message=(
            "DomainError: Counted.seats is a Mapping whose keys are int: keys are text in JSON, and are "
            "sorted as text. "
            "Write `Mapping[str, ...]`, or a tuple of structs."
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="mapping_with_keys_of_an_enum_inside_a_struct",
        code="""\
import msgspec
from enum import Enum
class Seat(Enum):
    WINDOW = 1
class Plan(msgspec.Struct, frozen=True):
    prices: Mapping[str, Mapping[Seat, int]]
class Counted(AEvent):
    plans: tuple[Plan, ...]
account.ignores(Counted)
""",
        seen_by="import",
        message=(
            "DomainError: Counted.plans is a Mapping whose keys are Seat: keys are text in JSON, and are "
            "sorted as text. "
            "Write `Mapping[str, ...]`, or a tuple of structs."
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="mapping_with_text_keys_ok",
        code="""\
class Counted(AEvent):
    refused: Mapping[Refused, int]
    seats: Mapping[str, Mapping[str, int]]
account.ignores(Counted)
""",
        seen_by=None,
        message=None,
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="mapping_of_anything",
        code="""\
class Counted(AEvent):
    seats: Mapping
account.ignores(Counted)
""",
        seen_by="import",
        message=("DomainError: Counted.seats is a Mapping of anything: annotate it Mapping[str, X]."),
        mypy='Missing type arguments for generic type "Mapping"  [type-arg]',
        pyright=None,
    ),
    Mistake(
        name="naive_datetime",
        code="""\
class Booked(AEvent):
    departs: tuple[datetime, ...] | None
account.ignores(Booked)
""",
        seen_by="import",
        message=(
            "DomainError: Booked.departs is a datetime that may lack its time zone, and would be another instant on "
            "another host: annotate it AwareDatetime, as in `from shardlog import AwareDatetime`."
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="naive_value",
        code="""\
class Booked(AEvent):
    departs: AwareDatetime
account.ignores(Booked)
def test() -> None:
    given(account, Booked(departs=datetime(2026, 1, 1)))
""",
        seen_by="kit",
        message=(
            "DomainError: Booked(departs=datetime.datetime(2026, 1, 1, 0, 0)) does not survive the codec: Expected "
            "`datetime` with a timezone component - at `$.departs`"
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="class_as_initial_state",
        code="""\
class Bad(State):
    owner: str
    balance: int = 0
bad = Aggregate("bad", initial=Bad)
""",
        seen_by="import",
        message=(
            "DomainError: aggregate 'bad': initial=Bad is a class, and must be the state of a stream without events: "
            "write `initial=Bad()`, and give owner a default, or a value there"
        ),
        mypy='Value of type variable "S" of "Aggregate" cannot be "type[Bad]"  [type-var]',
        pyright=(
            'Argument of type "type[Bad]" cannot be assigned to parameter "initial" of type '
            '"S@Aggregate" in function "__init__"'
        ),
    ),
    Mistake(
        name="event_as_initial_state",
        code="""\
bad = Aggregate("bad", initial=Deposited(amount=1))
""",
        seen_by="import",
        message=("DomainError: aggregate 'bad': initial=Deposited(amount=1) is no State: derive its class from State"),
        mypy='Value of type variable "S" of "Aggregate" cannot be "Deposited"  [type-var]',
        pyright=(
            'Argument of type "Deposited" cannot be assigned to parameter "initial" of type '
            '"S@Aggregate" in function "__init__"'
        ),
    ),
    Mistake(
        name="id_that_is_no_text",
        code="""\
account.stream(5)
""",
        seen_by="import",
        message=("InvalidId: invalid_id: 5 is no id for 'account': an id is a str, as in 'north:1', and not int"),
        mypy=('Argument 1 to "stream" of "Aggregate" has incompatible type "int"; expected "str"  [arg-type]'),
        pyright='"Literal[5]" is not assignable to "str"',
    ),
    Mistake(
        name="wrong_value_in_a_command",
        code="""\
@account.decides
def deposit(state: Account, command: Deposit) -> Deposited:
    return Deposited(amount=command.amount)
@account.evolves
def deposited(state: Account, event: Deposited) -> Account:
    return replace(state, balance=state.balance + event.amount)
def test() -> None:
    given(account).when(Deposit(amount="five")).then(Deposited(amount=5))
""",
        seen_by="kit",
        message=(
            "AssertionError: expected events, but the command was rejected: invalid_command: Deposit: "
            "Expected `int`, got "
            "`str` - at `$.amount`: 'five'"
        ),
        mypy='Argument "amount" to "Deposit" has incompatible type "str"; expected "int"  [arg-type]',
        pyright='"Literal[\'five\']" is not assignable to "int"',
    ),
)
