"""docs/http.md has every status, code, route and header."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shardlog.gateway import batch, heads, projections
from shardlog.gateway.problems import STATUS
from shardlog.gateway.settings import GatewaySettings
from shardlog.wiring import http_protocol

PAGE = (Path(__file__).parents[3] / "docs" / "http.md").read_text()
GATEWAY = Path(heads.__file__).parent


@pytest.mark.parametrize(("code", "status"), STATUS.items())
def test_every_code_stands_beside_its_status(code: str, status: int) -> None:
    assert re.search(rf"^\| {status} \|[^|]*`{code}`", PAGE, re.MULTILINE)


def test_every_code_of_the_gateways_own_is_listed() -> None:
    files = [*GATEWAY.glob("*.py"), Path(http_protocol.__file__)]
    source = "".join(file.read_text() for file in files)
    own = set(re.findall(r'(?:RequestRefused|problem)\(\s*\d+, "(\w+)"', source))
    assert len(own) > 5
    assert {code for code in own if f"`{code}`" not in PAGE} == set()


def test_every_header_and_media_type_is_listed() -> None:
    named = {name.decode() for name in (heads.COMMAND_ID, heads.EXPECTED_VERSION, heads.CORRELATION, heads.CAUSATION)}
    named |= {name.decode() for name in (heads.OCCURRED_AT, heads.TRACEPARENT, *batch.MEDIA_TYPES)}
    assert {name for name in named if f"`{name}`" not in PAGE} == set()


def test_every_field_of_a_line_is_listed() -> None:
    assert {field for field in batch.CommandLine.__struct_fields__ if f"`{field}`" not in PAGE} == set()


def test_the_limits_are_those_of_the_code() -> None:
    for text in (
        f"{GatewaySettings().batch_lines_max:,} lines",
        f"1 to {projections.ROWS_MAX:,}",
        f"1 to {projections.WAIT_MAX_MS:,}",
    ):
        assert text in PAGE
    assert f"{GatewaySettings().batch_lines_bytes_max >> 20} MiB" in PAGE
    assert f"{GatewaySettings().batch_answers_bytes_max >> 20} MiB" in PAGE
    assert f"{GatewaySettings().head_bytes_max >> 10} KiB" in PAGE
