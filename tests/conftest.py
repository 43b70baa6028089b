"""For every test: Ctrl-C reaches the processes that tests start, also where this run was started in the background."""

from __future__ import annotations

import signal

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background jobs begin so, and children inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ("tests.kafka_fixtures", "tests.postgresql_fixtures", "tests.mariadb_fixtures")
