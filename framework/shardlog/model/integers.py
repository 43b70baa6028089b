"""What an integer column of a row takes: 64 bits with a sign, as databases keep it."""

from __future__ import annotations

INTEGER_MIN = -(2**63)
INTEGER_MAX = 2**63 - 1


def why_beyond(table: str, column: str, value: int) -> str | None:
    """Why an integer column does not take this value; None where it does."""
    if INTEGER_MIN <= value <= INTEGER_MAX:
        return None
    return (
        f"table {table!r}, column {column!r} takes no {value}: an integer has 64 bits, from {INTEGER_MIN} to "
        f"{INTEGER_MAX}. Put a limit on the command: `Annotated[int, Meta(le=...)]`"
    )
