"""Tests that strings with a wrong format are refused, with where, what is wrong, and what to write."""

import json
import re
from typing import Any

import pytest

from chart.notation import formats
from support.chart import refusal
from support.wrong_strings import LONGEST_IN_SPEC, WRONG, everywhere, keyed, mistake, strings

#: How a message of the schema or of Helm looks that does not say what to write.
UNEXPLAINED = re.compile(
    r"'not' failed|does not match pattern|oneOf|anyOf|allOf|if-else|invalid propertyName|error calling"
)


def _quoted(text: str) -> str:
    """Return the text as Go's %q prints it."""
    return json.dumps(text, ensure_ascii=False)


def _lines(message: str) -> list[str]:
    return message.partition("): ")[2].splitlines()


@pytest.mark.parametrize("text", WRONG, ids=repr)
def test_string_with_a_wrong_format_is_reported_wherever_it_is(text: str):
    """If every string of the values is the same, each one that its format refuses has a line, and no other one."""
    formatted = {path: node for path, node in strings().items() if node.format}
    if len(text) > LONGEST_IN_SPEC:
        formatted = {path: node for path, node in formatted.items() if ".spec." not in path}
    found = {path: mistake(node.format, node.filled, text) for path, node in formatted.items()}
    expected = {f"{path}: {_quoted(text)} {each[0]}; {each[1]}" for path, each in found.items() if each}
    assert expected
    assert {*_lines(refusal(everywhere(text)))} == expected


@pytest.mark.parametrize("key", [each for each in WRONG if each], ids=repr)
def test_key_with_a_wrong_format_is_reported_wherever_it_is(key: str):
    """The keys of maps, such as labels and resources, are checked like strings."""
    found = {path: mistake(format, True, key) for path, format in keyed(key=key).items()}
    expected = {f"{path}: {_quoted(key)} {each[0]}; {each[1]}" for path, each in found.items() if each}
    lines = {*_lines(refusal(everywhere("example", key)))}
    assert expected - lines == set()


@pytest.mark.parametrize(("value", "kind"), [(7, "number"), (True, "boolean"), ([], "array"), ({}, "object")], ids=repr)
def test_value_of_a_wrong_type_is_reported_wherever_it_is(value: Any, kind: str):
    """If every string of the values has another type, the schema names each place, and the type to write."""
    accepting = {"number": {"number", "integer"}, "boolean": {"boolean"}, "array": {"array"}, "object": {"object"}}[
        kind
    ]
    message = refusal(everywhere(value))
    assert UNEXPLAINED.search(message) is None
    for path, node in strings().items():
        if not accepting & {*node.kinds}:
            place = re.escape("/" + re.sub(r"\[(\d+)\]", r"/\1", path).replace(".", "/"))
            assert re.search(rf"at '{place}': got {kind}, want .*string", message), path


@pytest.mark.parametrize("name", formats())
def test_format_accepts_its_examples(name: str):
    """Each format accepts the examples that structure.yaml gives for it."""
    assert formats()[name].valid
    assert [text for text in formats()[name].valid if mistake(name, True, text)] == []


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        (
            {"image": {"registry": "https://registry.example.com"}},
            ("image.registry", "a scheme", "registry.example.com"),
        ),
        ({"image": {"registry": "team/"}}, ("image.registry", "a slash", "remove it")),
        ({"global": {"imageRegistry": "http://a"}}, ("global.imageRegistry", "a scheme", "only the host")),
        ({"image": {"tag": "latest"}}, ("image.tag", "a tag that moves", "the tag of one version")),
        (
            {"tiers": {"high": {"image": {"tag": "latest"}}}},
            ("tiers.high.image.tag", "a tag that moves", "one version"),
        ),
        (
            {"tiers": {"high": {"image": {"digest": "sha256:short"}}}},
            ("tiers.high.image.digest", "64 hexadecimal digits"),
        ),
        (
            {"tiers": {"high": {"image": {"repository": "team/high:1.2.3"}}}},
            ("tiers.high.image.repository", "tag next to"),
        ),
        ({"tiers": {"high": {"resources": {"requests": {"memroy": "1Gi"}}}}}, ("requests.memroy", "cpu, memory")),
        ({"tiers": {"high": {"resources": {"limits": {"memory": "512mb"}}}}}, ("limits.memory", "512mb", "512Mi")),
        ({"tiers": {"scheduler": {}}}, ("tiers.scheduler", "another component", "another name")),
        ({"tiers": {"web": {}}}, ("tiers.web", "another component", "another name")),
        ({"tiers": {"High": {}}}, ("tiers.High", "lower-case letters")),
        ({"web": {"auth": {"operators": [""]}}}, ("web.auth.operators[0]", "is empty", "write a text")),
        ({"web": {"service": {"loadBalancerSourceRanges": ["10.0.0.1"]}}}, ("SourceRanges[0]", "203.0.113.0/24")),
        (
            {"commonLabels": {"app.kubernetes.io/name": "mine"}},
            ("commonLabels.app.kubernetes.io/name", "another domain"),
        ),
        (
            {"tiers": {"high": {"podLabels": {"helm.sh/chart": "a"}}}},
            ("tiers.high.podLabels.helm.sh/chart", "the chart sets"),
        ),
        ({"fullnameOverride": "Finance_Hub"}, ("fullnameOverride", "Finance_Hub", "lower-case letters")),
        ({"redis": {"memory": "1G"}}, ("redis.memory", "1G", "512Mi")),
        ({"externalRedis": {"url": "cache.example:6379"}}, ("externalRedis.url", "begin it with redis://")),
        ({"metrics": {"podMonitor": {"interval": "30"}}}, ("metrics.podMonitor.interval", "30s")),
        (
            {"metrics": {"podMonitor": {"namespace": "Monitoring"}}},
            ("metrics.podMonitor.namespace", "lower-case letters"),
        ),
        ({"metrics": {"prometheusRule": {"ruleLabels": {"my-team": "a"}}}}, ("ruleLabels.my-team", "underscores")),
        (
            {"metrics": {"prometheusRule": {"overrides": {"FinanceHubClockSkew": {"for": "soon"}}}}},
            ("metrics.prometheusRule.overrides.FinanceHubClockSkew.for", "soon", "30m"),
        ),
    ],
    ids=str,
)
def test_wrong_string_is_refused_with_its_path_and_what_to_write(values: dict[str, Any], parts: tuple[str, ...]):
    """The message names the value and says what to write."""
    message = refusal(values)
    assert [part for part in parts if part not in message] == [], message
    assert UNEXPLAINED.search(message) is None


def test_all_wrong_strings_are_reported_together():
    """A user who made several mistakes does not find them one at a time."""
    message = refusal({"image": {"tag": "latest", "registry": "a/"}, "redis": {"memory": "1G"}})
    assert [line.partition(":")[0] for line in _lines(message)] == ["image.registry", "image.tag", "redis.memory"]
