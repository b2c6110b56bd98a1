"""Tests of the dashboards' expressions: valid PromQL, existing metrics, and legends with labels that are kept."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from support import metric_catalog, promql
from support.dashboards import LOCAL, expressions, fill_in, load
from support.promtool import promtool_path
from support.rules import recorded

#: Series that Prometheus creates.
BUILT_IN = {"ALERTS"}
_VARIABLE_QUERY = re.compile(r"label_values\((.+), \w+\)")


def check_with_promtool(folder: Path, texts: list[str]) -> subprocess.CompletedProcess[str]:
    """Run promtool on a rule file with the expressions."""
    rules: list[dict[str, Any]] = [
        {"record": "checked", "expr": text, "labels": {"number": str(number)}} for number, text in enumerate(texts)
    ]
    path = folder / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": rules}]}), encoding="utf-8")
    return subprocess.run([promtool_path(), "check", "rules", path], capture_output=True, text=True, check=False)


def variable_queries() -> list[str]:
    """Return the selectors of the variables, filled in."""
    variables = [variable for dashboard in load().values() for variable in dashboard["templating"]["list"]]
    queries = {variable["query"] for variable in variables if variable["type"] == "query"}
    return [fill_in(found[1], LOCAL) for query in sorted(queries) if (found := _VARIABLE_QUERY.fullmatch(query))]


def test_expressions_are_valid_promql(tmp_path: Path) -> None:
    """Promtool accepts the expressions of all panels and variables."""
    texts = [expression.text for expression in expressions()] + variable_queries()
    done = check_with_promtool(tmp_path, texts)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(texts)} rules found" in done.stdout


def test_promtool_with_invalid_promql_fails(tmp_path: Path) -> None:
    """Promtool refuses an expression with a missing parenthesis."""
    assert check_with_promtool(tmp_path, ["sum(up", "up"]).returncode != 0


def test_expressions_use_only_known_metrics() -> None:
    """Every metric in a panel is served by a process or recorded by a rule."""
    known = metric_catalog.series().keys() | recorded() | BUILT_IN
    used = {
        metric
        for text in [expression.text for expression in expressions()] + variable_queries()
        for metric in promql.metrics(text)
    }
    assert used - known == set()
    assert {"financehub_data_stale", "ALERTS", "process_start_time_seconds"} <= used


@pytest.mark.parametrize(
    "expression", list(expressions()), ids=lambda item: f"{item.dashboard}: {item.panel}: {item.legend}"
)
def test_legend_uses_only_labels_of_the_result(expression: Any) -> None:
    """The expression names each `{{label}}` of its legend, so that no series has an empty name."""
    for label in re.findall(r"{{(\w+)}}", expression.legend):
        assert re.search(rf"\b{label}\b", promql.without_selectors(expression.text)), expression.text


def test_legends_keep_double_braces() -> None:
    """The JSON keeps the double braces of legends, so no template engine has replaced them."""
    legends = {expression.legend for expression in expressions()}
    assert {"{{dataset}}", "{{queue}}", "{{kind}}: {{reason}}"} <= legends
    assert [legend for legend in legends if legend.count("{") != 2 * len(re.findall(r"{{\w+}}", legend))] == []
