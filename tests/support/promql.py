"""Just enough PromQL to inspect expressions; promtool decides whether they are valid."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_SELECTOR = re.compile(
    r"(?P<name>[a-zA-Z_:][\w:]*)\{(?P<matchers>(?:[^{}\"]|\"[^\"]*\")*)\}(?:\[(?P<range>[^\]:]+)\])?"
)
_FUNCTION = re.compile(r"([a-z_0-9]+)\s*(?:(?:by|without)\s*\([^()]*\)\s*)?\($")
_STRING = re.compile(r"\"[^\"]*\"")
#: What stands in parentheses behind these are labels, not metrics.
_LABEL_LIST = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^()]*\)")
_KEYWORDS = {"and", "or", "unless", "bool", "offset", "inf", "nan"}


@dataclass(frozen=True)
class Selector:
    """A selector within an expression.

    Args:
        metric: name of the metric.
        matchers: what stands in braces.
        range: what stands in brackets; None for an instant vector.
        function: name of the function or aggregation that takes it directly.
    """

    metric: str
    matchers: str
    range: str | None
    function: str | None


def selectors(expression: str) -> Iterator[Selector]:
    """Every selector with braces."""
    for found in _SELECTOR.finditer(expression):
        before = _FUNCTION.search(expression[: found.start()])
        yield Selector(found["name"], found["matchers"], found["range"], before[1] if before else None)


def bare(expression: str) -> set[str]:
    """Metrics that are named without braces, and so without matchers."""
    rest = _STRING.sub('""', _LABEL_LIST.sub(" ", _SELECTOR.sub(" ", expression)))
    words = re.finditer(r"(?<![\w$.:])[a-zA-Z_:][\w:]*(?P<call>\s*\()?", re.sub(r"\[[^\]]*\]|@ \w+\(\)", " ", rest))
    return {word[0] for word in words if not word["call"] and word[0].lower() not in _KEYWORDS}


def metrics(expression: str) -> set[str]:
    """Names of all metrics."""
    return {each.metric for each in selectors(expression)} | bare(expression)


def without_selectors(expression: str) -> str:
    """The rest of an expression: functions, operators, and the labels that they keep or make."""
    return _SELECTOR.sub(" ", expression)
