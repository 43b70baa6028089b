"""A domain's tests: given, when, then. They also prove its codec, its replay and its purity.

`given(account, Opened(owner="ada")).when(Deposit(amount=5)).then(Deposited(amount=5))` tests one aggregate, `project`
a projection, `Scenario` whole domains with their process managers, `explore` what nobody thought of, `check_contract`
that old journals can still be read. Installed with `shardlog[testing]`.
"""

from shardlog.testing.kit.contracts import Contract, check_contract, contract
from shardlog.testing.kit.exploring import explore
from shardlog.testing.kit.given import Given, History, Then, given, given_erased, given_old, on
from shardlog.testing.kit.projecting import Projected, project
from shardlog.testing.kit.scenario import Scenario
from shardlog.testing.kit.world import START

__all__ = [
    "START",
    "Contract",
    "Given",
    "History",
    "Projected",
    "Scenario",
    "Then",
    "check_contract",
    "contract",
    "explore",
    "given",
    "given_erased",
    "given_old",
    "on",
    "project",
]
