"""MariaDB for tests: fresh, on the loopback, behind a password, and gone at the end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pymysql
import pytest
from sqlalchemy.engine import make_url

from shardlog.errors import ConfigurationError
from shardlog.testing.services.errors import ServiceFailed, ServiceMissing
from shardlog.testing.services.mariadb import MariadbOptions, MariadbServer, programs
from shardlog.testing.services.mariadb.found import found_mariadb
from tests.mariadb_fixtures import connected
from tests.missing import or_skip


def test_a_killed_server_starts_again_on_what_was_committed(start_mariadb: Callable[[], MariadbServer]) -> None:
    server = start_mariadb()
    server.ask("CREATE TABLE kept AS SELECT 5 AS n")
    server.kill()
    assert not server.is_running
    server.start()
    assert server.ask("SELECT n FROM kept") == [(5,)]
    with pytest.raises(ServiceFailed, match="runs already"):
        server.start()


def test_nothing_is_left_behind() -> None:
    with or_skip(), MariadbServer() as server:
        assert server.ask("SELECT @@innodb_flush_log_at_trx_commit") == [(2,)]
    assert not server.is_running
    assert not server.folder.exists()


def test_only_the_password_lets_in_and_only_from_this_host(start_mariadb: Callable[[], MariadbServer]) -> None:
    server = start_mariadb()
    url = make_url(server.url)
    for user, password in (("shardlog", "another"), ("", ""), ("root", ""), ("mysql", "")):
        with pytest.raises(pymysql.err.OperationalError, match="1045"):
            connected(url.set(username=user, password=password).render_as_string(hide_password=False))
    assert server.ask("SELECT @@bind_address, @@innodb_flush_log_at_trx_commit") == [("127.0.0.1", 1)]


def test_a_setting_that_the_server_refuses_is_shown_with_its_words() -> None:
    server = MariadbServer(MariadbOptions(settings={"no-such-setting": "5"}))
    try:
        with pytest.raises(ServiceFailed, match="unknown variable 'no-such-setting=5'"), or_skip():
            server.start()
    finally:
        server.close()


def test_without_programs_and_without_apt_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "FOLDERS", "")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ServiceMissing, match="apt-get install mariadb-server-core"), MariadbServer():
        pass


def test_what_apt_does_not_bring_is_told_with_its_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SHARDLOG_CACHE", str(tmp_path))
    monkeypatch.setattr(programs, "SERVER", "no-such-server")
    apt = tmp_path / "bin" / "apt-get"
    apt.parent.mkdir()
    apt.write_text("#!/bin/sh\necho 'there is no network' >&2\nexit 100\n")
    apt.chmod(0o700)
    (apt.parent / "dpkg-deb").symlink_to(apt)
    monkeypatch.setenv("PATH", f"{apt.parent}:/usr/bin:/bin")
    with pytest.raises(ServiceFailed, match="ended with 100: there is no network"):
        programs.needed_programs()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bin", "mariadb.lock"]


def test_an_address_in_the_environment_comes_first_and_is_not_shown_where_it_is_wrong() -> None:
    address = "mariadb://ann:secret@db:3306/x"
    with found_mariadb({"SHARDLOG_MARIADB": address}) as url:
        assert url == address
    with (
        pytest.raises(ConfigurationError, match="must be mariadb://") as raised,
        found_mariadb({"SHARDLOG_MARIADB": "ann:secret@db"}),
    ):
        pass
    assert "secret" not in str(raised.value)
