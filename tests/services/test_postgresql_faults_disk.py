"""The disk under PostgreSQL is full: a batch waits, or the server breaks off; with room the rows are right again."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from shardlog.testing.services.postgresql import PostgresqlOptions, PostgresqlServer
from shardlog.testing.services.postgresql.programs import as_other_user
from tests.missing import or_skip
from tests.services.kafka_faults.disk import SmallDisk, small_disk
from tests.services.postgresql_faults.field import Field
from tests.services.postgresql_faults.workers import end_postmaster, wait_for

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300), pytest.mark.usefixtures("quiet")]
EVENTS = 20_000
MUCH = "CREATE TABLE much AS SELECT repeat(md5(n::text), 20) FROM generate_series(1, 200000) AS n"
"""More than there is room for in the segments of the log that are there already."""
SETTINGS = {"max_wal_size": "48MB", "min_wal_size": "32MB"}


@pytest.fixture
def disk() -> Iterator[SmallDisk]:
    with tempfile.TemporaryDirectory(prefix="shardlog-disk-") as directory:
        Path(directory).chmod(0o755)  # the server is another user
        with small_disk(Path(directory)) as disk:
            yield disk


def said(server: PostgresqlServer, what: str) -> bool:
    """Whether the server's log says so."""
    return what in server.log.read_text(errors="replace")


def test_a_disk_that_is_full_under_the_tables_makes_a_worker_wait_until_there_is_room(
    disk: SmallDisk, tmp_path: Path
) -> None:
    with or_skip():
        server = PostgresqlServer(PostgresqlOptions(is_durable=True))
    with server:
        place = disk.folder / "tables"
        place.mkdir()
        as_other_user(place)
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(f"CREATE TABLESPACE small LOCATION '{place}'")
            connection.execute(f"ALTER ROLE {server.user} SET default_tablespace = 'small'")
        field = Field(tmp_path, server.url, "shardlog", EVENTS, seed=4)
        try:
            field.begin()
            disk.fill()
            worker = field.work()
            wait_for(lambda: said(server, "No space left on device"), field.where)
            disk.free()
            found = field.finish()
            assert worker.stopped == []
            assert len(found["moves"]) > EVENTS // 2
        finally:
            field.close()


def test_a_disk_that_is_full_under_the_server_s_log_breaks_it_off_and_with_room_its_workers_go_on(
    disk: SmallDisk, tmp_path: Path
) -> None:
    with or_skip():
        server = PostgresqlServer(PostgresqlOptions(is_durable=True, settings=SETTINGS))
    with server:
        move_log(server, disk)
        field = Field(tmp_path, server.url, "shardlog", EVENTS, seed=5)
        try:
            field.begin()
            disk.fill()
            worker = field.work()
            with psycopg.connect(server.url, autocommit=True) as connection, pytest.raises(psycopg.OperationalError):
                connection.execute(MUCH)
            wait_for(lambda: said(server, "PANIC"), field.where)
            assert said(server, "No space left on device")
            disk.free()
            wait_for(lambda: serves(server), field.where)
            field.finish()
            assert worker.stopped == []
        finally:
            field.close()


def move_log(server: PostgresqlServer, disk: SmallDisk) -> None:
    """Let the server write its log ahead to the small disk."""
    end_postmaster(server, signal.SIGQUIT)
    log, place = server.folder / "data" / "pg_wal", disk.folder / "pg_wal"
    shutil.copytree(log, place)
    shutil.rmtree(log)
    log.symlink_to(place)
    as_other_user(place, *place.rglob("*"))
    place.chmod(0o700)
    server.start()


def serves(server: PostgresqlServer) -> bool:
    """It may have ended for good, and is then started as an operator does."""
    if not server.is_running:
        server.start()
    try:
        with psycopg.connect(server.url):
            return True
    except psycopg.OperationalError:
        return False
