"""Ports that nobody listens at, below the range that the system itself takes for outgoing connections."""

from __future__ import annotations

import random
import socket

FIRST_PORT, LAST_PORT = 20_000, 32_000
ATTEMPTS_MAX = 1_000


def free_ports(count: int) -> list[int]:
    """So many different ports, free on the loopback now.

    Drawn at random, so that two runs at once hardly meet; a service that finds its port taken says so and is started
    again with others.
    """
    draw = random.SystemRandom()
    found: list[int] = []
    for _ in range(ATTEMPTS_MAX):
        port = draw.randrange(FIRST_PORT, LAST_PORT)
        if port not in found and is_free(port):
            found.append(port)
            if len(found) == count:
                return found
    raise OSError(f"{count} free ports were not found from {FIRST_PORT} to {LAST_PORT}: end what listens there")


def is_free(port: int) -> bool:
    """Whether nobody listens at this port of the loopback now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
