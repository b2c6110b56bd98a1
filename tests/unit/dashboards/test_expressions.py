"""Every expression is valid PromQL about metrics that exist, and names its series by labels that it keeps."""

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

#: Series of Prometheus itself.
BUILT_IN = {"ALERTS"}
_VARIABLE_QUERY = re.compile(r"label_values\((.+), \w+\)")


def promtool(folder: Path, texts: list[str]) -> subprocess.CompletedProcess[str]:
    """Ask promtool whether expressions are valid, as rules of a file."""
    rules: list[dict[str, Any]] = [
        {"record": "checked", "expr": text, "labels": {"number": str(number)}} for number, text in enumerate(texts)
    ]
    path = folder / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": rules}]}), encoding="utf-8")
    return subprocess.run([promtool_path(), "check", "rules", path], capture_output=True, text=True, check=False)


def variable_queries() -> list[str]:
    """Selectors of the variables, filled in."""
    variables = [each for dashboard in load().values() for each in dashboard["templating"]["list"]]
    queries = {each["query"] for each in variables if each["type"] == "query"}
    return [fill_in(found[1], LOCAL) for query in sorted(queries) if (found := _VARIABLE_QUERY.fullmatch(query))]


def test_every_expression_is_valid_promql(tmp_path: Path) -> None:
    """Promtool accepts the expressions of all panels and variables."""
    texts = [each.text for each in expressions()] + variable_queries()
    done = promtool(tmp_path, texts)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(texts)} rules found" in done.stdout


def test_invalid_promql_is_noticed(tmp_path: Path) -> None:
    """Promtool refuses an expression that lacks a parenthesis."""
    assert promtool(tmp_path, ["sum(up", "up"]).returncode != 0


def test_every_metric_is_in_the_catalogue_or_recorded() -> None:
    """Every metric that a panel shows is served by a process or recorded by a rule."""
    known = metric_catalog.series().keys() | recorded() | BUILT_IN
    used = {
        metric for text in [each.text for each in expressions()] + variable_queries() for metric in promql.metrics(text)
    }
    assert used - known == set()
    assert {"financehub_data_stale", "ALERTS", "process_start_time_seconds"} <= used


@pytest.mark.parametrize(
    "expression", list(expressions()), ids=lambda each: f"{each.dashboard}: {each.panel}: {each.legend}"
)
def test_legend_uses_labels_that_the_expression_keeps(expression: Any) -> None:
    """Each `{{label}}` of a legend is named in the expression, so that no series has an empty name."""
    for label in re.findall(r"{{(\w+)}}", expression.legend):
        assert re.search(rf"\b{label}\b", promql.without_selectors(expression.text)), expression.text


def test_legends_survive_as_grafana_needs_them() -> None:
    """The JSON keeps the double braces of legends; no template engine has replaced them."""
    legends = {each.legend for each in expressions()}
    assert {"{{dataset}}", "{{queue}}", "{{kind}}: {{reason}}"} <= legends
    assert [legend for legend in legends if legend.count("{") != 2 * len(re.findall(r"{{\w+}}", legend))] == []
