"""For every test: Ctrl-C reaches the processes that tests start, also where this run was started in the background.

What a test has logged goes to the process that shows it, in UTF-8, whatever the test is about. How long an example of
Hypothesis takes fails no test: machines are loaded.
"""

from __future__ import annotations

import signal
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("loaded", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("loaded")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background jobs begin so, and children inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ("tests.kafka_fixtures", "tests.postgresql_fixtures", "tests.mariadb_fixtures")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    report.sections = [(name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections]
    if isinstance(report.longrepr, str):
        report.longrepr = report.longrepr.encode(errors="backslashreplace").decode()
    return report
