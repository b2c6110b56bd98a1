"""Tests that values.schema.json refuses unknown keys and invalid values at every level."""

import copy
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import helm_python
import pytest
import yaml

from support.chart import CHART, chart, fits_schema, refusal, render
from support.chart_values import COMBINATIONS
from support.values_schema import ANY, DEFAULTS, kinds, nodes

#: Levels whose keys the user chooses, or of which the templates refuse unknown keys with a list of the known ones.
_OPEN = {"global", "overrides", "additionalGroups", "args", "kwargs", "extraObjects"}

#: Every map of the values with its own keys, by its path.
LEVELS = {
    ".".join(path) or "(top)": (path, schema)
    for path, schema in nodes()
    if "object" in kinds(schema) and "properties" in schema and not {*path} & _OPEN
}


@pytest.mark.parametrize("level", LEVELS)
def test_schema_refuses_unknown_keys_at_every_level(level: str):
    """No level accepts arbitrary keys, except those whose keys the user chooses."""
    _, schema = LEVELS[level]
    assert schema.get("additionalProperties") is False


#: Their keys are free.
_MAPS = {
    *(
        "global",
        "commonLabels",
        "commonAnnotations",
        "tiers",
        "schedules",
        "assets",
        "kwargs",
        "ruleLabels",
        "disabled",
    ),
    *("overrides", "labels", "annotations", "podLabels", "podAnnotations", "nodeSelector", "requests", "limits"),
}


def _objects(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if isinstance(value, dict):
        yield path
        for key, each in value.items():
            yield from _objects(each, (*path, key))
    elif isinstance(value, list) and value:
        yield from _objects(value[0], (*path, 0))


CLOSED = [path for path in _objects(DEFAULTS) if not {*path[-1:]} & _MAPS]


def test_misspelled_keys_are_refused_by_name_and_path():
    """If there is an unknown key at every level of values.yaml, the message names each of them with its path."""
    values = copy.deepcopy(DEFAULTS)
    for path in CLOSED:
        place = values
        for step in path:
            place = place[step]
        place["enabeld"] = True
    named = {line.strip() for line in refusal(values).splitlines()}
    pointers = {"".join(f"/{step}" for step in path) for path in CLOSED}
    assert {f"- at '{each}': additional properties 'enabeld' not allowed" for each in pointers} - named == set()


@pytest.mark.parametrize("path", [path for path, schema in LEVELS.values() if path and ANY not in path], ids=".".join)
def test_empty_section_is_refused_by_name_or_has_no_effect(path: tuple[str, ...]):
    """Helm treats a section without keys as null. If the chart needs it, the message names it."""
    values: Any = None
    for step in reversed(path):
        values = {step: values}
    try:
        assert render(values).documents
    except helm_python.HelmError as error:
        assert f"missing property '{path[-1]}'" in str(error) or path[-1] in str(error).partition(";")[0]  # noqa: PT017


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"tiers": {"high": {"threads": 0}}}, "/tiers/high/threads"),
        ({"tiers": {"high": {"threads": "4"}}}, "/tiers/high/threads"),
        ({"settings": {"FINANCEHUB_LOG_LEVLE": "DEBUG"}}, "FINANCEHUB_LOG_LEVLE"),
        ({"web": {"mode": "readonly"}}, "/web/mode"),
        ({"web": {"hosts": "market.example.com"}}, "/web/hosts"),
        ({"web": {"auth": {"trustedProxies": "10.0.0.0/8"}}}, "/web/auth/trustedProxies"),
        ({"web": {"replicas": 0}}, "/web/replicas"),
        ({"web": {"shutdownDelaySeconds": 0}}, "/web/shutdownDelaySeconds"),
        ({"web": {"autoscaling": {"minReplicas": 0}}}, "/web/autoscaling/minReplicas"),
        ({"web": {"service": {"type": "ExternalName"}}}, "/web/service/type"),
        ({"web": {"service": {"port": 0}}}, "/web/service/port"),
        ({"web": {"service": {"externalTrafficPolicy": "local"}}}, "/web/service/externalTrafficPolicy"),
        ({"web": {"ingress": {"hosts": ["market.example.com"]}}}, "/web/ingress/hosts/0"),
        ({"web": {"ingress": {"hosts": [{"host": "a.example", "paths": ["/"]}]}}}, "/web/ingress/hosts/0/paths/0"),
        ({"web": {"httpRoute": {"hostname": "a.example"}}}, "hostname"),
        ({"image": {"pullPolicy": "Sometimes"}}, "/image/pullPolicy"),
        ({"autoscaling": {"mode": "none"}}, "/autoscaling/mode"),
        ({"scheduler": {"replicas": 0}}, "/scheduler/replicas"),
        ({"settings": {"LOG_LEVEL": "DEBUG"}}, "LOG_LEVEL"),
        ({"assets": [{"symbol": 1, "type": "stock"}]}, "/assets/0/symbol"),
        ({"assets": {"GLD": {"type": "metal"}}}, "/assets/GLD/type"),
        ({"assets": {"GLD": {"type": "stock", "kind": "metal"}}}, "/assets/GLD/kind"),
        ({"assets": {"GLD": {"type": "stock", "aliases": [1]}}}, "/assets/GLD/aliases/0"),
        ({"assets": {"GLD": {"type": "stock", "exchanges": "NYSE"}}}, "/assets/GLD/exchanges"),
        ({"assets": {"GLD": {"type": "stock", "providers": {"yahoo": 1}}}}, "/assets/GLD/providers/yahoo"),
        ({"metrics": {"podMonitor": {"relabelings": [{"source_labels": ["pod"]}]}}}, "source_labels"),
        ({"metrics": {"prometheusRule": {"disabled": ["FinanceHubClockSkew"]}}}, "/metrics/prometheusRule/disabled"),
        ({"metrics": {"prometheusRule": {"additionalGroups": [{"rules": []}]}}}, "name"),
        ({"metrics": {"dashboards": {"labelValue": 1}}}, "/metrics/dashboards/labelValue"),
        ({"schedules": {"mine": {"enabled": True}}}, "spec"),
        ({"schedules": {"mine": {"spec": {"schedule": "@hourly"}}}}, "task"),
        ({"schedules": {"fetch-news": {"spec": {"overlap": "Perhaps"}}}}, "'overlap'"),
    ],
    ids=str,
)
def test_invalid_value_is_refused_with_its_path(values: dict[str, Any], named: str):
    """The schema refuses a value of a wrong type or out of range, and the message contains its path."""
    message = refusal(values)
    assert "values don't meet the specifications of the schema" in message
    assert named in message


def test_null_removes_a_default_tier_or_schedule():
    """As is usual in Helm, `null` removes a default tier or schedule."""
    manifests = render({"tiers": {"low": None}, "schedules": dict.fromkeys(_of_tier("low"))})
    assert not manifests.has("Deployment", "financehub-low")
    remaining = {each["metadata"]["name"] for each in manifests.all("ScheduledTask")}
    assert remaining == DEFAULTS["schedules"].keys() - _of_tier("low")


def _of_tier(queue: str) -> set[str]:
    queues = yaml.safe_load((CHART / "files" / "queues.yaml").read_text(encoding="utf-8"))
    return {name for name, each in DEFAULTS["schedules"].items() if queues[each["spec"]["task"]] == queue}


#: One mistake of each kind that the schema knows, and values without mistakes that are easy to refuse wrongly.
_SHAPES: dict[str, tuple[dict[str, Any], bool]] = {
    "an unknown key": ({"webb": {}}, False),
    "an unknown key inside": ({"web": {"modes": "off"}}, False),
    "a wrong type": ({"redis": {"existingSecret": 12345}}, False),
    "a list for a map": ({"web": {"ingress": []}}, False),
    "a word that is not listed": ({"web": {"mode": "on"}}, False),
    "a number below the minimum": ({"scheduler": {"replicas": -1}}, False),
    "a fraction": ({"tierDefaults": {"threads": 2.5}}, False),
    "a whole number with a fraction": ({"tierDefaults": {"threads": 2.0}}, True),
    "an item that is null": ({"podDefaults": {"extraEnv": [None]}}, False),
    "an item without a required key": ({"podDefaults": {"extraEnv": [{"value": "1"}]}}, False),
    "an unknown key of Kubernetes": ({"web": {"affinity": {"nodeAfinity": {}}}}, False),
    "null for a list": ({"podDefaults": {"extraEnv": None}}, True),
    "null for a tier": ({"tiers": {"high": None}}, True),
}


@pytest.mark.parametrize("name", [*COMBINATIONS][::6])
def test_helm_accepts_the_combinations_that_the_validator_of_the_tests_accepts(name: str):
    """`render` of the tests does not let Helm compile the schema each time, so both validators must agree."""
    assert fits_schema(COMBINATIONS[name])
    chart().validate_schema(COMBINATIONS[name])


@pytest.mark.parametrize("shape", _SHAPES)
def test_helm_and_the_validator_of_the_tests_agree(shape: str):
    """Each kind of mistake is one for Helm and for the validator of the tests."""
    values, is_valid = _SHAPES[shape]
    assert fits_schema(values) == is_valid
    with nullcontext() if is_valid else pytest.raises(helm_python.HelmError):
        chart().validate_schema(values)
