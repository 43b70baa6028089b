"""A wheel of the shardlog at hand, where it was installed from files: then no registry need have it."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

WHEEL_SECONDS = 300
"""How long a build may take."""


class WheelNotBuilt(Exception):
    """No wheel could be built. The text says why, and which command makes it."""


def installed_from() -> Path | None:
    """The checkout or the wheel that shardlog was installed from, as the installer recorded it; None for a registry."""
    recorded = distribution("shardlog").read_text("direct_url.json")
    if recorded is None:
        return None
    url = urlsplit(json.loads(recorded)["url"])
    path = Path(url2pathname(url.path))
    return path if url.scheme == "file" and path.exists() else None


def put_wheel(source: Path, folder: Path) -> None:
    """The wheel of this checkout, or this wheel, into a folder. Raises WheelNotBuilt."""
    folder.mkdir(parents=True, exist_ok=True)
    if source.is_file():
        shutil.copy(source, folder)
        return
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--wheel-dir", str(folder.resolve()), str(source)]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=WHEEL_SECONDS, check=False)  # noqa: S603  # ours
    except (OSError, subprocess.TimeoutExpired) as error:
        raise WheelNotBuilt(_failed(source, str(error), command)) from error
    if ran.returncode != 0:
        said = ran.stderr.strip().splitlines() or [f"pip ended with {ran.returncode}"]
        raise WheelNotBuilt(_failed(source, said[-1], command))


def _failed(source: Path, why: str, command: list[str]) -> str:
    return f"no wheel of {source} could be built ({why}); before `make`, run: {shlex.join(command)}"
