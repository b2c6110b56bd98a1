"""Parses the parts of PromQL that the tests inspect. It does not decide whether an expression is valid."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800, "y": 31_536_000}
_DURATION = re.compile(r"(\d+)(ms|[smhdwy])")
_MATCHER = re.compile(r"(\w+)\s*(=~|!~|!=|=)\s*\"([^\"]*)\"")
_GROUPING = re.compile(r"\bby\s*\(([^()]*)\)")
#: The tokens of an expression in order. Tokens without a group name are skipped: comments, strings, numbers, durations,
#: and the words in parentheses after `by`, `on` and the like, which are labels and not metrics.
_PARTS = re.compile(
    r"""
    \#[^\n]* | "[^"]*" | \d[\w.]* | \[[^\]]*\]
    | \b(?:without|on|ignoring|group_left|group_right)\b\s*(?:\([^()]*\))?
    | \bby\s*\([^()]*\)
    | (?P<call>[a-zA-Z_]\w*)\s*(?:(?:by|without)\s*\([^()]*\)\s*)?\(
    | (?P<open>\() | (?P<close>\))
    | \b(?:and|or|unless|bool|offset|inf|nan)\b
    | (?P<name>[a-zA-Z_:][\w:]*)\s*(?:\{(?P<matchers>(?:[^{}"]|"[^"]*")*)\})?(?:\[(?P<range>[^\]:]+)\])?
    """,
    re.VERBOSE | re.IGNORECASE,
)
_OPERATORS = {"and", "or", "unless", "bool"}
_AGGREGATIONS = {
    *("sum", "avg", "count", "count_values", "min", "max", "group"),
    *("topk", "bottomk", "quantile", "stddev", "stdvar"),
}


@dataclass(frozen=True)
class Selector:
    """A selector in an expression.

    Args:
        metric: Name of the metric.
        matchers: Text in braces. Empty if there are no braces.
        range: Text in brackets. None for an instant vector.
        function: Name of the innermost function or aggregation around the selector.
        aggregation: Name of the innermost aggregation around the selector.
    """

    metric: str
    matchers: str
    range: str | None
    function: str | None
    aggregation: str | None

    @property
    def conditions(self) -> list[tuple[str, str, str]]:
        """The label, operator and value of each matcher."""
        return _MATCHER.findall(self.matchers)


def selectors(expression: str) -> Iterator[Selector]:
    """Yield every selector, with or without matchers."""
    enclosing: list[str | None] = []
    for part in _PARTS.finditer(expression):
        if part["close"]:
            enclosing.pop()
        elif part["open"] or (part["call"] or "").lower() in _OPERATORS:
            enclosing.append(None)
        elif part["call"]:
            enclosing.append(part["call"])
        elif part["name"]:
            names = [name for name in reversed(enclosing) if name]
            aggregation = next((name for name in names if name in _AGGREGATIONS), None)
            yield Selector(
                part["name"], part["matchers"] or "", part["range"], names[0] if names else None, aggregation
            )


def metrics(expression: str) -> set[str]:
    """Return the names of all metrics."""
    return {selector.metric for selector in selectors(expression)}


def grouping_labels(expression: str) -> set[str]:
    """Return the labels that the aggregations of the expression keep."""
    return {label.strip() for text in _GROUPING.findall(expression) for label in text.split(",") if label.strip()}


def without_selectors(expression: str) -> str:
    """Return the expression without its selectors: functions, operators, and the labels that they keep or create."""
    return _PARTS.sub(lambda part: " " if part["name"] else part[0], expression)


def seconds(duration: str) -> float:
    """Return the seconds of a Prometheus duration such as `1h30m`."""
    return sum(int(number) * _SECONDS[unit] for number, unit in _DURATION.findall(duration))
