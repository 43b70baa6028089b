"""The settings that keep an application's tables in PostgreSQL, with the password in a file of its own."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit


def settings_of(folder: Path, url: str, schema: str) -> str:
    """The section [projections]; writes the password's file beside where `shardlog.toml` will be."""
    parts = urlsplit(url)
    (folder / "password").write_text(f"{parts.password}\n")
    plain = f"postgresql://{parts.username}@{parts.hostname}:{parts.port}{parts.path}"
    named = f"database = {json.dumps(plain)}\nschema = {json.dumps(schema)}\npassword_file = 'password'"
    return f"[projections]\n{named}\n"
