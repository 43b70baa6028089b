"""`shardlog erd`: drawings of an application's tables, and pages whose drawing is not theirs any more."""

from __future__ import annotations

from pathlib import Path

import pytest

from shardlog.cli.exit_codes import ExitCode
from tests.services.command_line import SETTINGS, shardlog


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Settings, and no journal: none is asked."""
    (tmp_path / "shardlog.toml").write_text(SETTINGS)
    return tmp_path


def test_each_form_draws_all_tables(folder: Path) -> None:
    for form in ("mermaid", "dot", "svg"):
        said = shardlog(folder, "erd", "--format", form)
        assert said.code == ExitCode.OK
        assert "account_balances" in said.out and "ledger_balances" in said.out
    tables = shardlog(folder, "erd", "--json").json["tables"]
    assert [table["name"] for table in tables] == ["account_balances", "ledger_balances", "accounts_in_ledgers"]
    assert not (folder / "journal").exists()


def test_a_projection_that_there_is_not_is_told(folder: Path) -> None:
    said = shardlog(folder, "erd", "balanses")
    assert (said.code, said.out) == (ExitCode.USAGE, "")
    assert "did you mean 'balances'" in said.err


def test_a_drawing_that_is_not_theirs_any_more_is_found(folder: Path) -> None:
    drawing = shardlog(folder, "erd", "balances").out
    (folder / "tables.mmd").write_text(drawing)
    (folder / "page.md").write_text(f"# Tables\n\n```mermaid\n{drawing}```\n\nThat is all.\n")
    for name in ("tables.mmd", "page.md"):
        path = folder / name
        assert shardlog(folder, "erd", "--check", name).code == ExitCode.OK
        assert shardlog(folder, "erd", "--check", name, "--json").json == {"file": name, "is_current": True}
        path.write_text(path.read_text().replace("bigint balance", "numeric balance", 1))
        said = shardlog(folder, "erd", "--check", name)
        assert said.code == ExitCode.FAILED
        assert said.out == (
            f"{name} does not show the tables as they are: put in what `shardlog erd --format mermaid` prints\n"
        )
