"""The banking domain: accounts of ledgers, transfers within a ledger, payments between ledgers."""

from domain.banking.account import account
from domain.banking.payments import payments
from domain.banking.transfers import transfer
from shardlog import Domain

banking = Domain("banking", aggregates=[account], process_managers=[payments])

__all__ = ["account", "banking", "payments", "transfer"]
