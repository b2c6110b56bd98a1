"""Tests that each message of the templates says where, what is wrong, and what to write."""

import re

import pytest

from chart.notation import formats
from support.chart import CHART

#: The template financehub.network.problem prints the rest of it, and test_refusals.py has a case.
_COMPOSED = {"web.auth.trustedProxies: %s %s"}
#: Every other message of the templates, as a format string.
MESSAGES = [
    message
    for path in sorted((CHART / "templates").rglob("*.*"))
    for message in re.findall(r'\bfail \(?(?:printf )?"((?:[^"\\]|\\.)+)"', path.read_text(encoding="utf-8"))
    if message not in _COMPOSED
]
CHECKS = [(name, index) for name, each in formats().items() for index in range(len(each.checks))]


@pytest.mark.parametrize("message", MESSAGES)
def test_message_names_the_value_the_problem_and_the_fix(message: str):
    """A message is `value: problem; fix`, where the value is a path in the values."""
    assert re.match(r"[\w%.*\[\]{}-]+: [^;]+; \S", message), message


@pytest.mark.parametrize(("name", "index"), CHECKS, ids=str)
def test_check_of_a_format_says_what_is_wrong_and_what_to_write(name: str, index: int):
    """`wrong` goes on after the value, such as `is not a tag`, and `write` is a request."""
    check = formats()[name].checks[index]
    assert check.keys() - {"wrong", "write"} in ({"require"}, {"refuse"})
    assert re.match(r"(is|are|has|begins|ends|contains|does|cannot) ", check["wrong"])
    assert re.match(r"(write|remove|choose|begin) ", check["write"])
    assert check["write"][-1] not in ".;"


def test_schema_has_no_patterns():
    """The message of a pattern shows the pattern, and not what to write. Formats are for that."""
    text = (CHART / "values.schema.json").read_text(encoding="utf-8")
    found = re.findall(r'"(pattern|not|oneOf|anyOf|allOf|if|propertyNames|patternProperties)":', text)
    assert found == []
