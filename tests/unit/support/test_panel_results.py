"""Tests of the checks on panel results."""

from dataclasses import replace

import pytest

from support.dashboards import Expression
from support.panel_results import Series, problems, table_problems

GRAPH = Expression("d", "Requests", "{{provider}}", "x", "No data: none", "timeseries", "time_series", False, "s", None)
SHARE = replace(GRAPH, unit="percentunit", maximum=1)
STAT = replace(GRAPH, legend="late", kind="stat", instant=True)
HEATMAP = replace(GRAPH, legend="{{le}}", kind="heatmap", format="heatmap")
SERIES: Series = ({"provider": "a"}, [1.0])
EMPTY: Series = ({"provider": "a"}, [float("nan")])


@pytest.mark.parametrize(
    ("expression", "series", "message"),
    [
        (GRAPH, [], "has no result"),
        (GRAPH, [EMPTY], "has no result"),
        (GRAPH, [({"provider": "a"}, [2.0, -1.0])], "below zero"),
        (GRAPH, [SERIES, ({"actor": "a"}, [1.0])], "without provider"),
        (SHARE, [({"provider": "a"}, [0.5, 1.02])], "more than the whole"),
        (STAT, [SERIES, ({"provider": "b"}, [1.0])], "2 series for one value"),
        (replace(HEATMAP, legend="{{provider}}"), [SERIES], "no bucket limit"),
    ],
)
def test_problems_of_an_invalid_result_yields_one_message(
    expression: Expression, series: list[Series], message: str
) -> None:
    """Each kind of invalid result yields one problem."""
    (problem,) = problems(expression, series, required=True)
    assert message in problem


@pytest.mark.parametrize(
    ("expression", "series"),
    [
        (GRAPH, [SERIES, ({"provider": "b"}, [float("inf"), 3.0])]),
        (replace(GRAPH, legend="{{provider}} {{pod}}"), [SERIES]),
        (replace(GRAPH, panel="Clock skew"), [({"provider": "a"}, [-3.0])]),
        (SHARE, [({"provider": "a"}, [1.005])]),
        (replace(SHARE, maximum=None), [({"provider": "a"}, [1.5])]),
        (STAT, [({}, [1.0])]),
        (HEATMAP, [({"le": "1"}, [1.0])]),
    ],
)
def test_problems_of_a_valid_result_is_empty(expression: Expression, series: list[Series]) -> None:
    """Unusual but valid results are accepted, such as no pod outside Kubernetes and a negative skew."""
    assert list(problems(expression, series, required=True)) == []


def test_problems_of_an_empty_optional_result_is_empty() -> None:
    """A result without a finite value is a problem only if a result is required."""
    assert list(problems(STAT, [], required=False)) == []


def test_table_problems_with_rows_missing_in_the_first_column_yields_them() -> None:
    """A column may lack rows. Additional rows or other labels are problems: they would cause single-cell lines."""
    assert list(table_problems({"Age": [SERIES, ({"provider": "b"}, [1.0])], "Limit": [SERIES]})) == []
    assert list(table_problems({"Age": [SERIES], "Limit": [({"provider": "a", "__name__": "x"}, [1.0])]})) == []
    (other,) = table_problems({"Age": [SERIES], "Limit": [({"provider": "b"}, [1.0])]})
    assert other == "Limit has the row {'provider': 'b'}, which Age does not have"
    (more,) = table_problems({"Age": [SERIES], "Limit": [({"provider": "a", "server": "s"}, [1.0])]})
    assert "server" in more
