"""Work that is done in a thread of its own while its caller goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def begun(work: Callable[[], T]) -> Callable[[], T]:
    """Begin it. Returns what waits for it, and returns or raises what it does.

    A daemon, other than an executor's threads: a process that ends waits for no server that is away, and one whose main
    thread has ended may go on.
    """
    future: Future[T] = Future()

    def do() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001  # whoever waits for it raises it
            future.set_exception(error)

    threading.Thread(target=do, name="shardlog-writer", daemon=True).start()
    return future.result
