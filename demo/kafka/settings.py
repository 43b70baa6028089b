"""The settings of a run, as a file that every process of it reads: a journal of its own, with a name of its own."""

from __future__ import annotations

import uuid
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from demo.application import SHARDS

TEXT = """\
[application]
domains = ["domain.flights:flights", "domain.banking:banking"]
projections = ["projections.flights:flights", "projections.banking:balances"]

[journal]
directory = "{directory}"
shards = {shards}

[kafka]
bootstrap_servers = "{bootstrap}"
journal = "{journal}"

[ownership]
executors = {executors}
"""
TABLES_TEXT = """
[projections]
database = "{database}"
schema = "{schema}"
password_file = "password"
"""


def write_settings(directory: Path, bootstrap: str, executors: int, postgresql: str | None = None) -> Path:
    """Write the file into this folder, and return where it is.

    postgresql: the URL, password and all, of the server that takes the tables, in a schema of the journal's name.
    """
    directory = directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "shardlog.toml"
    journal = f"flights-{uuid.uuid4().hex[:8]}"
    text = TEXT.format(directory=directory, shards=SHARDS, bootstrap=bootstrap, journal=journal, executors=executors)
    path.write_text(text if postgresql is None else text + _tables(directory, postgresql, journal))
    return path


def _tables(directory: Path, postgresql: str, schema: str) -> str:
    """The section of the tables. The password stands in a file of its own, which its owner alone may read."""
    parts = urlsplit(postgresql)
    password = directory / "password"
    password.touch(mode=0o600)
    password.write_text(unquote(parts.password or ""))
    database = urlunsplit(parts._replace(netloc=f"{parts.username}@{parts.hostname}:{parts.port}"))
    return TABLES_TEXT.format(database=database, schema=schema)
