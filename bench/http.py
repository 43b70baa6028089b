"""How fast commands over HTTP become acknowledged frames: `dev` in a process of its own, on SQLite, on loopback.

    python -m bench.http --json

Single: connections that each wait for an answer before they send the next command; the latency runs from send to the
whole answer. NDJSON: one connection that sends lines and reads answers at the same time. A tenth is refused. The
client takes time too, so the server's own CPU time a command is printed where the system tells it (Linux).
"""

from __future__ import annotations

import argparse
import json
import os
import selectors
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

from bench.report import report
from bench.shard import percentile
from bench.workload import records
from shardlog.gateway.settings import GatewaySettings
from shardlog.wiring.serving import Listening, serve
from shardlog.wiring.settings import ApplicationSettings, JournalSettings, Settings

WARM_UP_SECONDS = 1.0
SINGLE_PER_S_MAX = 12_000
"""Requests are made ahead, each with an id of its own, for at most this rate."""
CLOCK_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Server(NamedTuple):
    """A `dev` that takes commands."""

    pid: int
    port: int

    def cpu_s(self) -> float | None:
        """CPU time that it has used, where the system tells."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS_PER_S


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8.0, help="of single commands, after a second to warm up")
    parser.add_argument("--connections", type=int, default=16, help="that send single commands")
    parser.add_argument("--lines", type=int, default=300_000, help="of the NDJSON batch")
    parser.add_argument("--streams", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve is not None:
        serve(_settings(given.serve), _say)
        return
    figures: dict[str, object] = {"connections": given.connections, "streams": given.streams}
    with tempfile.TemporaryDirectory(prefix="shardlog-bench-") as place, running(Path(place)) as server:
        figures |= single(server, given.seconds, given.connections, given.streams)
        figures |= batch(server, given.lines, given.streams)
    report(figures, given.json)


def _settings(directory: Path) -> Settings:
    return Settings(
        application=ApplicationSettings(domains=("bench.workload:bank",)),
        journal=JournalSettings(directory=str(directory)),
        gateway=GatewaySettings(port=0),
    )


def _say(listening: Listening) -> None:
    print(json.dumps(listening.port), flush=True)


@contextmanager
def running(directory: Path) -> Iterator[Server]:
    """A server over this directory."""
    command = [sys.executable, "-m", "bench.http", "--serve", str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Server(process.pid, int(process.stdout.readline()))
        finally:
            process.terminate()


def single(server: Server, seconds: float, connections: int, streams: int) -> dict[str, object]:
    """Throughput and latency of connections that wait for each answer."""
    ahead = records(int((WARM_UP_SECONDS + seconds) * SINGLE_PER_S_MAX), streams)
    requests = iter([_single_request(number, value) for number, value in enumerate(ahead)])
    exchange(server, requests, WARM_UP_SECONDS, connections)
    cpu = server.cpu_s()
    latencies = exchange(server, requests, seconds, connections)
    figures: dict[str, object] = {
        "single_commands_per_s": len(latencies) / seconds,
        "single_ms_p50": percentile(latencies, 0.5) * 1e3,
        "single_ms_p99": percentile(latencies, 0.99) * 1e3,
    }
    return figures | _cpu("single", server, cpu, len(latencies))


def exchange(server: Server, requests: Iterator[bytes], seconds: float, connections: int) -> list[float]:
    """Send one request after another over each connection. Returns the latencies in seconds, sorted."""
    selector = selectors.DefaultSelector()
    sent: dict[socket.socket, float] = {}
    received: dict[socket.socket, bytes] = {}
    latencies: list[float] = []
    for _ in range(connections):
        connection = socket.create_connection(("127.0.0.1", server.port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(connection, selectors.EVENT_READ, connection)
        received[connection] = b""
        sent[connection] = perf_counter()
        connection.sendall(next(requests))
    end = perf_counter() + seconds
    while perf_counter() < end:
        for key, _ in selector.select(1):
            connection = key.data
            text = received[connection] + connection.recv(65_536)
            if not _is_whole(text):
                received[connection] = text
                continue
            now = perf_counter()
            latencies.append(now - sent[connection])
            received[connection] = b""
            sent[connection] = now
            connection.sendall(next(requests))
    for connection in sent:
        connection.close()
    return sorted(latencies)


def _is_whole(text: bytes) -> bool:
    head, found, body = text.partition(b"\r\n\r\n")
    if not found:
        return False
    if head[9:12] not in (b"200", b"409"):
        raise RuntimeError(f"the server answered {text!r}")
    return len(body) >= int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])


def batch(server: Server, lines: int, streams: int) -> dict[str, object]:
    """Throughput of one batch."""
    text = [_line(value) for value in records(lines, streams, seed=10)]
    head = (
        b"POST /v1/commands HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/x-ndjson\r\n"
        b"connection: close\r\ncontent-length: %d\r\n\r\n" % sum(map(len, text))
    )
    connection = socket.create_connection(("127.0.0.1", server.port))
    cpu, began = server.cpu_s(), perf_counter()
    sender = threading.Thread(target=_send_all, args=(connection, head, text))
    sender.start()
    answered = 0
    while piece := connection.recv(1 << 18):
        answered += piece.count(b'{"line":')
    elapsed = perf_counter() - began
    sender.join()
    connection.close()
    if not lines * 0.999 < answered <= lines:  # a piece may end inside of what is counted
        raise RuntimeError(f"{answered} of {lines} lines were answered")
    figures: dict[str, object] = {"ndjson_lines": lines, "ndjson_commands_per_s": lines / elapsed}
    return figures | _cpu("ndjson", server, cpu, lines)


def _send_all(connection: socket.socket, head: bytes, lines: list[bytes]) -> None:
    connection.sendall(head)
    for first in range(0, len(lines), 500):
        connection.sendall(b"".join(lines[first : first + 500]))


def _cpu(name: str, server: Server, before: float | None, commands: int) -> dict[str, object]:
    after = server.cpu_s()
    if before is None or after is None:
        return {}
    return {f"{name}_server_cpu_us_per_command": (after - before) / commands * 1e6}


def _single_request(number: int, value: bytes) -> bytes:
    _, category, id, command, _, _, _, correlation, _, traceparent, _, _, _, payload = json.loads(value)
    body = json.dumps(payload, separators=(",", ":"))
    return (
        f"POST /v1/streams/{category}/{id}/{command} HTTP/1.1\r\nhost: 127.0.0.1\r\n"
        f"content-type: application/json\r\nidempotency-key: bench-{number}\r\n"
        f"shardlog-correlation: {correlation}\r\ntraceparent: {traceparent}\r\n"
        f"content-length: {len(body)}\r\n\r\n{body}"
    ).encode()


def _line(value: bytes) -> bytes:
    _, category, id, command, command_id, _, _, correlation, _, traceparent, _, _, _, payload = json.loads(value)
    fields = {
        "category": category,
        "id": id,
        "command": command,
        "payload": payload,
        "command_id": f"line-{command_id}",
        "correlation": correlation,
        "traceparent": traceparent,
    }
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


if __name__ == "__main__":
    main()
