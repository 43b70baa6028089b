"""What the client library logs, made short: one line when a broker is lost to this process, one when it is back.

Each client of a process tries each broker again several times a second for as long as it is away, and logs a line each
time, so that four processes wrote tens of thousands within two minutes.
"""

from __future__ import annotations

import logging
import re
import socket
import threading
from time import monotonic

BACK_SECONDS = 8.0
"""A broker that no connection has failed to for so long is asked whether it takes one: while it is away a try fails
sooner, since clients connect within `connect_timeout_ms` and try again within `reconnect_back_off_max_ms`."""
ASK_SECONDS = 2.0
_FAILED = re.compile(
    r"^FAIL \[[^\]]*\] \[thrd:[^\]]*\]: (?:[A-Za-z]+: )?(?:\w+://)?(?P<broker>[^ ]+:\d+)(?:/\w+)?: (?P<reason>.*)$",
    re.S,
)


class ClientLog:
    """A client's `logger`: all clients of a process have the same one. From any thread.

    to: where lines go. Those of single tries, and all that is no loss of a broker, are for debugging.
    """

    def __init__(self, to: logging.Logger) -> None:
        self._to = to
        self._lock = threading.Lock()
        self._lost: dict[str, float] = {}
        self._thread: threading.Thread | None = None

    def log(self, level: int, text: str, *arguments: object) -> None:
        """As the client library calls it."""
        line = text % arguments if arguments else text
        failed = _FAILED.match(line)
        if failed is None or level < logging.WARNING:  # a connection that was closed for being idle is no loss
            self._to.log(level if level >= logging.CRITICAL else logging.DEBUG, "%s", line)
        elif self._is_news(failed["broker"]):
            self._to.warning(
                "broker %s does not answer this process: %s. Clients go on trying, and this is said once; what needs "
                "the broker waits, or goes to another",
                failed["broker"],
                failed["reason"],
            )
        else:
            self._to.debug("%s", line)

    @property
    def lost(self) -> frozenset[str]:
        """The brokers that were lost and are not back, as host:port."""
        return frozenset(self._lost)

    def _is_news(self, broker: str) -> bool:
        with self._lock:
            is_news = broker not in self._lost
            self._lost[broker] = monotonic()
            if self._thread is None:
                self._thread = threading.Thread(target=self._wait, name="shardlog-kafka-log", daemon=True)
                self._thread.start()
        return is_news

    def _wait(self) -> None:
        """Until all of them are back."""
        waiting = threading.Event()
        while True:
            with self._lock:
                now = monotonic()
                back = [broker for broker, at in self._lost.items() if now - at >= BACK_SECONDS]
                for broker in back:
                    del self._lost[broker]
                if not self._lost and not back:
                    self._thread = None
                    return
                next_s = min((at + BACK_SECONDS - now for at in self._lost.values()), default=None)
            for broker in back:
                if _takes_connections(broker):
                    self._to.warning("broker %s takes connections again", broker)
                else:
                    self._keep(broker)
            waiting.wait(0.01 if next_s is None else max(next_s, 0.01))

    def _keep(self, broker: str) -> None:
        """It is away still, though no client has tried it for a while."""
        with self._lock:
            self._lost.setdefault(broker, monotonic())


def _takes_connections(broker: str) -> bool:
    host, _, port = broker.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), ASK_SECONDS).close()
    except OSError:
        return False
    return True
