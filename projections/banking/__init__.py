"""Tables of the banking domain."""

from projections.banking.balances import balances

__all__ = ["balances"]
