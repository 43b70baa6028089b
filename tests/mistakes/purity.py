"""Handlers that ask the world, or look at what is sealed: seen by the kit, with the line."""

from tests.mistakes.mistake import Mistake

MISTAKES = (
    Mistake(
        name="now_in_decide",
        code="""\
class Stamped(AEvent):
    at: AwareDatetime
@account.decides
def deposit(state: Account, command: Deposit) -> Deposited:
    if datetime.now(timezone.utc).year < 2000:
        reject(Refused.NOT_OPEN, "too early")
    return Deposited(amount=1)
@account.evolves
def deposited(state: Account, event: Deposited) -> Account:
    return replace(state, balance=state.balance + event.amount)
def test() -> None:
    given(account).when(Deposit(amount=1)).then(Deposited(amount=1))
""",
        seen_by="kit",
        message=(
            "DomainError: deposit calls datetime.now (now_in_decide.py:5): use context.time, or take it from the "
            "command. Replay must give the same answer."
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="uuid4_in_decide",
        code="""\
class Stamped(AEvent):
    at: str
@account.decides
def deposit(state: Account, command: Deposit) -> Stamped:
    return Stamped(at=str(uuid.uuid4()))
@account.evolves
def stamped(state: Account, event: Stamped) -> Account:
    return state
def test() -> None:
    given(account).when(Deposit(amount=1)).then(Stamped(at=""))
""",
        seen_by="kit",
        message=(
            "DomainError: deposit calls uuid.uuid4 (uuid4_in_decide.py:5): use context.new_id(), or take it from "
            "the command. Replay must give the same answer."
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="random_in_decide",
        code="""\
@account.decides
def deposit(state: Account, command: Deposit) -> Deposited:
    return Deposited(amount=random.randint(1, 6))
@account.evolves
def deposited(state: Account, event: Deposited) -> Account:
    return replace(state, balance=state.balance + event.amount)
def test() -> None:
    given(account).when(Deposit(amount=1)).then(Deposited(amount=1))
""",
        seen_by="kit",
        message=(
            "DomainError: deposit calls random.randint (random_in_decide.py:3): use context.random(), or take it "
            "from the command. Replay must give the same answer."
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="file_in_decide",
        code="""\
@account.decides
def deposit(state: Account, command: Deposit) -> Deposited:
    open('/etc/hostname').close()
    return Deposited(amount=command.amount)
@account.evolves
def deposited(state: Account, event: Deposited) -> Account:
    return replace(state, balance=state.balance + event.amount)
def test() -> None:
    given(account).when(Deposit(amount=1)).then(Deposited(amount=1))
""",
        seen_by="kit",
        message=(
            "DomainError: deposit calls open (file_in_decide.py:3): read it before the command is sent, and take "
            "it from the command. Replay must give the same answer."
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="clock_in_evolve",
        code="""\
@account.decides
def deposit(state: Account, command: Deposit) -> Deposited:
    return Deposited(amount=command.amount)
@account.evolves
def deposited(state: Account, event: Deposited) -> Account:
    datetime.now()
    return replace(state, balance=state.balance + event.amount)
def test() -> None:
    given(account).when(Deposit(amount=1)).then(Deposited(amount=1))
""",
        seen_by="kit",
        message=(
            "DomainError: deposited calls datetime.now (clock_in_evolve.py:6): put it into the event when it is "
            "decided, and take it from there. Replay must give the same answer."
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="clock_in_process_manager",
        code="""\
@account.decides
def deposit(state: Account, command: Deposit) -> Deposited:
    return Deposited(amount=command.amount)
@account.evolves
def deposited(state: Account, event: Deposited) -> Account:
    return replace(state, balance=state.balance + event.amount)
billing = ProcessManager("billing")
@billing.on
def bill(event: Deposited, recorded: Recorded) -> Sends:
    return account.send(f"b{time.time()}", Deposit(amount=1))
def test() -> None:
    bank = Domain("bank", aggregates=[account], process_managers=[billing])
    Scenario(bank).when(account.stream("a"), Deposit(amount=1))
""",
        seen_by="kit",
        message=(
            "DomainError: bill calls time.time (clock_in_process_manager.py:10): use recorded.time, or take it "
            "from the event. Replay must give the same answer."
        ),
        mypy=None,
        pyright=None,
    ),
    Mistake(
        name="reveal_in_decide",
        code="""\
class Invite(ACommand):
    email: Personal[str]
class Invited(AEvent):
    domain: str
@account.decides
def invite(state: Account, command: Invite) -> Invited:
    return Invited(domain=command.email.reveal_or("").partition("@")[2])
account.ignores(Invited)
def test() -> None:
    given(account).when(Invite(email=Personal("ada@example.org"))).then(Invited(domain="example.org"))
""",
        seen_by="kit",
        message=(
            "DomainError: Personal.reveal_or() was read inside a decide, an evolve or a process manager: the "
            "value can be erased, and replay must give the same answer afterwards. Pass the Personal value on as "
            "it is and reveal it in a projection; what a decision needs to know goes into a field of its own."
        ),
        mypy=None,
        pyright=None,
    ),
)
