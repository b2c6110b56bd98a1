"""Checks whether panels can show the results of their expressions."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence

from support.dashboards import Expression

Series = tuple[Mapping[str, str], list[float]]

#: Words in the titles of panels whose values may be negative: clocks that are behind, spent budgets, past due times.
_MAY_BE_NEGATIVE = ("skew", "budget left", "due in")
#: Labels that only series in Kubernetes have.
_KUBERNETES_LABELS = {"namespace", "pod"}
#: A share may exceed 1 slightly, because of rounding and extrapolation.
_MAXIMUM_SHARE = 1.01


def problems(expression: Expression, series: Sequence[Series], *, required: bool) -> Iterator[str]:
    """Yield the problems in one expression's result.

    Args:
        expression: Expression of the panel.
        series: Labels and values of each series of the result.
        required: Whether an empty result is a problem.
    """
    finite = [value for _, values in series for value in values if math.isfinite(value)]
    if not finite:
        if required:
            yield f"has no result, and its no-value text says {expression.no_value!r}"
        return
    if min(finite) < 0 and not any(
        word in f"{expression.panel} {expression.legend}".lower() for word in _MAY_BE_NEGATIVE
    ):
        yield f"is {min(finite)}, below zero"
    if expression.unit == "percentunit" and expression.maximum == 1 and max(finite) > _MAXIMUM_SHARE:
        yield f"is {max(finite)}, more than the whole"
    named = set(re.findall(r"{{(\w+)}}", expression.legend))
    for labels, _ in series:
        if missing := sorted(named - _KUBERNETES_LABELS - labels.keys()):
            yield f"has a series without {', '.join(missing)}, which its legend names: {dict(labels)}"
        if expression.kind == "heatmap" and "le" not in labels:
            yield f"has no bucket limit, le, in {dict(labels)}"
    if expression.kind == "stat" and not named and len(series) != 1:
        yield f"has {len(series)} series for one value"


def table_problems(columns: Mapping[str, Sequence[Series]]) -> Iterator[str]:
    """Yield the problems in a table's columns, the first of which must have all rows.

    Grafana joins the columns by all their labels. A row that only another column has would have a single cell.

    Args:
        columns: Title → labels and values of each of its cells.
    """
    first, *others = columns
    rows = _rows(columns[first])
    for title in others:
        for row in sorted(map(sorted, _rows(columns[title]) - rows)):
            yield f"{title} has the row {dict(row)}, which {first} does not have"


def _rows(series: Sequence[Series]) -> set[frozenset[tuple[str, str]]]:
    return {frozenset((name, value) for name, value in labels.items() if name != "__name__") for labels, _ in series}
