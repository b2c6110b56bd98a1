"""Tests of the text above the table of values in the chart's README."""

import re
from typing import Any

import pytest

from support.chart import CHART, refusal
from support.values_schema import nodes

_README = (CHART / "README.md").read_text(encoding="utf-8").partition("## Values\n")[2]
#: The values of each message in the README's table.
_MESSAGES: dict[str, dict[str, Any]] = {
    "/redis/existingSecret": {"redis": {"existingSecret": 12345}},
    "/web/replicas": {"web": {"replicas": "2"}},
    "/web/hosts": {"web": {"hosts": "market.example.com"}},
    "/redis": {"redis": "512Mi"},
    "/redis/server": {"redis": {"server": "keydb"}},
    "": {"foo": True},
}


@pytest.mark.parametrize("path", _MESSAGES)
def test_message_of_the_schema_in_the_readme_is_that_of_helm(path: str):
    """The README explains messages that Helm writes, word by word."""
    (message,) = re.findall(rf"^\| `(at '{path}': .*?)` \|", _README, re.MULTILINE)
    assert message in refusal(_MESSAGES[path])


def test_each_message_in_the_readme_is_compared_with_that_of_helm():
    """The table has no message that the test above omits."""
    assert re.findall(r"^\| `at '(.*?)': .*?` \|", _README, re.MULTILINE) == [*_MESSAGES]


def test_readme_names_each_section_that_accepts_the_values_of_pods():
    """The sections of the sentence below the messages are those that extend the values of pods."""
    sentence = " ".join(_README.split()).partition("each of these sections accepts")[2].partition(". ")[0]
    named = {*re.findall(r"`([\w.]+)`", sentence.partition(":")[2])}
    accepting = {".".join(path).replace("tiers.*", "tiers") for path, _ in nodes() if path and path[-1] == "sidecars"}
    assert named == {each.removesuffix(".sidecars") for each in accepting} - {"podDefaults"}
