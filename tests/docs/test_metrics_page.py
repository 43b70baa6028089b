"""The page on metrics lists what a registry has: every metric with kind, labels and meaning, and no other.

`python -m tests.docs.test_metrics_page` writes the tables anew.
"""

from __future__ import annotations

import re

from prometheus_client import CollectorRegistry

from shardlog.telemetry.catalogue import METRICS, Metric
from shardlog.telemetry.metrics import registry_of
from tests.docs.stranger import ROOT

PAGE = (ROOT / "docs" / "metrics.md").read_text()
HEAD = "| metric | kind | labels | what |\n|---|---|---|---|\n"
SECTIONS = {"shardlog_input_": "Inputs", "shardlog_snapshot": "Snapshots", "shardlog_projection_": "Projector"}
SECTIONS |= {"shardlog_publisher_": "Publisher", "shardlog_relay_": "Relay"}


def section(metric: Metric) -> str:
    """Under which title it stands."""
    return next((title for prefix, title in SECTIONS.items() if metric.name.startswith(prefix)), "Executor")


def row(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels) or "-"
    return f"| `{metric.name}` | {metric.kind} | {labels} | {metric.about} |"


def test_each_part_s_table_has_its_metrics_and_no_others() -> None:
    for title in ("Executor", *SECTIONS.values()):
        table = PAGE.partition(f"### {title}\n")[2].partition("\n##")[0]
        rows = [line for line in table.splitlines() if line.startswith("| `")]
        assert rows == [row(metric) for metric in METRICS.values() if section(metric) == title], title


def test_a_registry_describes_the_metrics_of_the_page_and_no_others() -> None:
    (collector,) = set(registry_of()._collector_to_names)
    described = {
        metric.name + ("_total" if metric.type == "counter" else ""): (metric.type, metric.documentation)
        for metric in collector.describe()
    }
    table = re.findall(r"^\| `(shardlog_\w+)` \| (\w+) \| [^|]+ \| (.+) \|$", PAGE, re.MULTILINE)
    assert described == {name: (kind, about) for name, kind, about in table}


def test_every_metric_that_the_page_speaks_of_exists() -> None:
    named = set(re.findall(r"shardlog_\w+", PAGE))
    parts = {f"{metric.name}_bucket" for metric in METRICS.values() if metric.kind == "histogram"}
    assert named <= set(METRICS) | parts


def test_a_registry_is_one_s_own() -> None:
    assert isinstance(registry_of(), CollectorRegistry)
    assert registry_of() is not registry_of()


def _written_anew(page: str) -> str:
    """The page with its tables as the code has them; text between them stays."""
    page = re.sub(r"^\| `shardlog_\w+` \| (counter|gauge|histogram) \|.*\n", "", page, flags=re.MULTILINE)
    for title in ("Executor", *SECTIONS.values()):
        before, name, after = page.partition(f"### {title}\n")
        rows = "".join(row(metric) + "\n" for metric in METRICS.values() if section(metric) == title)
        page = before + name + after.replace(HEAD, HEAD + rows, 1)
    return page


if __name__ == "__main__":
    (ROOT / "docs" / "metrics.md").write_text(_written_anew(PAGE))
