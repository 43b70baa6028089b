"""The code digest: which build of the domain's code wrote a claim."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from shardlog.model.application import Application


def code_digest(application: Application) -> str:
    """blake2b-128, in hex, over the source of every module that defines a handler or a message of the application.

    Modules are taken by name in order, so two hosts with the same code agree. A module without a source file counts
    by its name alone.
    """
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted({function.__module__ for function in _functions(application)}):
        digest.update(name.encode())
        file = getattr(sys.modules.get(name), "__file__", None)
        if file is not None and Path(file).suffix == ".py":
            digest.update(Path(file).read_bytes())
    return digest.hexdigest()


def _functions(application: Application) -> Iterator[Callable[..., Any] | type]:
    for aggregate in application.aggregates.values():
        yield type(aggregate.initial)
        yield from (decision.function for decision in aggregate.decisions.values())
        yield from aggregate.transactions.values()
        yield from aggregate.evolutions.values()
        yield from aggregate.upcasters.values()
        yield from aggregate.evolutions
        yield from aggregate.decisions
        yield from aggregate.transactions
    for manager in application.process_managers.values():
        yield from manager.handlers.values()
        yield from manager.rejection_handlers.values()
