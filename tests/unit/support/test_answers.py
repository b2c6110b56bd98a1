"""What is wrong with an answer is noticed."""

from dataclasses import replace

import pytest

from support.answers import Series, problems, row_problems
from support.dashboards import Expression

GRAPH = Expression("d", "Requests", "{{provider}}", "x", "No data: none", "timeseries", "time_series", False, "s", None)
SHARE = replace(GRAPH, unit="percentunit", maximum=1)
STAT = replace(GRAPH, legend="late", kind="stat", instant=True)
HEATMAP = replace(GRAPH, legend="{{le}}", kind="heatmap", format="heatmap")
ONE: Series = ({"provider": "a"}, [1.0])
EMPTY: Series = ({"provider": "a"}, [float("nan")])


@pytest.mark.parametrize(
    ("expression", "series", "says"),
    [
        (GRAPH, [], "has no answer"),
        (GRAPH, [EMPTY], "has no answer"),
        (GRAPH, [({"provider": "a"}, [2.0, -1.0])], "below zero"),
        (GRAPH, [ONE, ({"actor": "a"}, [1.0])], "without provider"),
        (SHARE, [({"provider": "a"}, [0.5, 1.02])], "more than the whole"),
        (STAT, [ONE, ({"provider": "b"}, [1.0])], "2 series for one value"),
        (replace(HEATMAP, legend="{{provider}}"), [ONE], "no bucket limit"),
    ],
)
def test_an_answer_that_a_panel_cannot_show_is_named(expression: Expression, series: list[Series], says: str) -> None:
    """Each kind of wrong answer is one problem."""
    (problem,) = problems(expression, series, required=True)
    assert says in problem


@pytest.mark.parametrize(
    ("expression", "series"),
    [
        (GRAPH, [ONE, ({"provider": "b"}, [float("inf"), 3.0])]),
        (replace(GRAPH, legend="{{provider}} {{pod}}"), [ONE]),
        (replace(GRAPH, panel="Clock skew"), [({"provider": "a"}, [-3.0])]),
        (SHARE, [({"provider": "a"}, [1.005])]),
        (replace(SHARE, maximum=None), [({"provider": "a"}, [1.5])]),
        (STAT, [({}, [1.0])]),
        (HEATMAP, [({"le": "1"}, [1.0])]),
    ],
)
def test_an_answer_that_a_panel_can_show_is_none(expression: Expression, series: list[Series]) -> None:
    """What looks odd but is right is no problem: outside Kubernetes there is no pod, and a skew has a sign."""
    assert list(problems(expression, series, required=True)) == []


def test_an_empty_answer_is_fine_where_nothing_is_required() -> None:
    """An answer without a finite value is a problem only where one is required."""
    assert list(problems(STAT, [], required=False)) == []


def test_columns_of_a_table_share_their_rows() -> None:
    """A column may lack rows; one that has others, or other labels, would make lines with a single cell."""
    assert list(row_problems({"Age": [ONE, ({"provider": "b"}, [1.0])], "Limit": [ONE]})) == []
    assert list(row_problems({"Age": [ONE], "Limit": [({"provider": "a", "__name__": "x"}, [1.0])]})) == []
    (other,) = row_problems({"Age": [ONE], "Limit": [({"provider": "b"}, [1.0])]})
    assert other == "Limit has the row {'provider': 'b'}, which Age does not have"
    (more,) = row_problems({"Age": [ONE], "Limit": [({"provider": "a", "server": "s"}, [1.0])]})
    assert "server" in more
