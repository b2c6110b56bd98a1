"""Whether the answers to a dashboard's expressions are what its panels can show."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence

from support.dashboards import Expression

Series = tuple[Mapping[str, str], list[float]]

#: May be below zero: a clock that is behind, a budget that is spent, a due time that has just passed.
_SIGNED = ("skew", "budget left", "due in")
#: Labels that Kubernetes adds, and that no series has outside.
_OF_KUBERNETES = {"namespace", "pod"}
#: Above 1 by no more than rounding and extrapolation.
_MOST_OF_A_SHARE = 1.01


def problems(one: Expression, series: Sequence[Series], *, required: bool) -> Iterator[str]:
    """What is wrong with the answer to one expression.

    Args:
        one: the expression.
        series: labels and values of each series of the answer.
        required: whether an empty answer is a problem.
    """
    finite = [value for _, values in series for value in values if math.isfinite(value)]
    if not finite:
        if required:
            yield f"has no answer, and its no-value text says {one.no_value!r}"
        return
    if min(finite) < 0 and not any(word in f"{one.panel} {one.legend}".lower() for word in _SIGNED):
        yield f"is {min(finite)}, below zero"
    if one.unit == "percentunit" and one.maximum == 1 and max(finite) > _MOST_OF_A_SHARE:
        yield f"is {max(finite)}, more than the whole"
    named = set(re.findall(r"{{(\w+)}}", one.legend))
    for labels, _ in series:
        if lacking := sorted(named - _OF_KUBERNETES - labels.keys()):
            yield f"has a series without {', '.join(lacking)}, which its legend names: {dict(labels)}"
        if one.kind == "heatmap" and "le" not in labels:
            yield f"has no bucket limit, le, in {dict(labels)}"
    if one.kind == "stat" and not named and len(series) != 1:
        yield f"has {len(series)} series for one value"


def row_problems(columns: Mapping[str, Sequence[Series]]) -> Iterator[str]:
    """What is wrong with the columns of a table, of which the first names all rows.

    Grafana joins the columns by all their labels: a row that another column alone has is a line with one cell.

    Args:
        columns: title → labels and values of each of its cells.
    """
    first, *others = columns
    rows = _rows(columns[first])
    for title in others:
        for row in sorted(map(sorted, _rows(columns[title]) - rows)):
            yield f"{title} has the row {dict(row)}, which {first} does not have"


def _rows(series: Sequence[Series]) -> set[frozenset[tuple[str, str]]]:
    return {frozenset((name, value) for name, value in labels.items() if name != "__name__") for labels, _ in series}
