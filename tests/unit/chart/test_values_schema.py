"""Tests that values.schema.json refuses unknown keys and invalid values at every level."""

import copy
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from support.chart import CHART, chart, refusal, render

SCHEMA: dict[str, Any] = chart().schema or {}
DEFAULTS: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))

#: Levels whose keys the user chooses.
_OPEN = {"global", "commonLabels", "tiers", "schedules", "kwargs", "ruleLabels", "disabled"}
#: Values in a Kubernetes format, which the API server checks.
_AS_KUBERNETES = {
    *("affinity", "tolerations", "nodeSelector", "podLabels", "podAnnotations", "labels", "annotations"),
    *(
        "extraEnv",
        "extraEnvFrom",
        "extraVolumes",
        "extraVolumeMounts",
        "metricsFrom",
        "redisFrom",
        "ingressFrom",
        "requests",
        "limits",
        "additionalGroups",
        "instanceSelector",
        "tls",
        "parentRefs",
        "matches",
        "filters",
        "timeouts",
        "additionalRules",
    ),
    # The templates refuse unknown keys there, with a list of the known ones.
    "overrides",
}


def _levels(schema: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Yield the path and schema of every object in the values. `*` means any tier, schedule or asset."""
    # An entry may also be null, which removes it. Its schema is in the branch `else`.
    schema = schema.get("else", schema)
    if reference := schema.get("$ref"):
        schema = SCHEMA["$defs"][reference.rpartition("/")[2]]
    if schema.get("type") == "array":
        yield from _levels(schema["items"], (*path, "*"))
    if schema.get("type") != "object" or {*path} & _AS_KUBERNETES:
        return
    yield path, schema
    for name, each in schema.get("properties", {}).items():
        yield from _levels(each, (*path, name))
    if isinstance(schema.get("additionalProperties"), dict):
        yield from _levels(schema["additionalProperties"], (*path, "*"))


LEVELS = {".".join(path) or "(top)": (path, schema) for path, schema in _levels(SCHEMA)}


@pytest.mark.parametrize("level", LEVELS)
def test_schema_refuses_unknown_keys_at_every_level(level: str):
    """No level accepts arbitrary keys, except those whose keys the user chooses."""
    path, schema = LEVELS[level]
    assert (schema.get("additionalProperties") is False) or path[-1] in _OPEN


def _objects(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if isinstance(value, dict):
        yield path
        for key, each in value.items():
            yield from _objects(each, (*path, key))
    elif isinstance(value, list) and value:
        yield from _objects(value[0], (*path, 0))


CLOSED = [
    path for path in _objects(DEFAULTS) if not {*path} & _AS_KUBERNETES and not {*path[-1:]} & (_OPEN - {"settings"})
]


@pytest.mark.parametrize("path", CLOSED, ids=[".".join(map(str, path)) or "(top)" for path in CLOSED])
def test_misspelled_key_is_refused_by_name(path: tuple[str | int, ...]):
    """At every level of values.yaml, the message for an unknown key names it."""
    values = copy.deepcopy(DEFAULTS)
    place = values
    for step in path:
        place = place[step]
    place["enabeld"] = True
    assert "'enabeld'" in refusal(values)


# settings.py documents the settings, so values.yaml does not list them.
@pytest.mark.parametrize("level", [level for level, (path, _) in LEVELS.items() if not {"*", "settings"} & {*path}])
def test_schema_and_values_have_the_same_keys(level: str):
    """values.yaml, which explains the values, contains every key of the schema, except in the user's own entries."""
    path, schema = LEVELS[level]
    place: Any = DEFAULTS
    for step in path:
        place = place[step] if step != "global" else {}
    if "properties" in schema:
        assert place.keys() == schema["properties"].keys() - {"global"}


SECTIONS = [
    *(("tiers",), ("schedules",)),
    *(path for path, schema in LEVELS.values() if path and "properties" in schema and not {"*", "resources"} & {*path}),
]


# The sections of tierDefaults are also sections of a tier, where they are optional. The section `web` is missing from
# values that an older chart wrote (`helm upgrade --reuse-values`), so a release without it has no console.
@pytest.mark.parametrize(
    "path", [path for path in SECTIONS if path[:-1] != ("tierDefaults",) and path != ("web",)], ids=".".join
)
def test_empty_section_is_refused_by_name(path: tuple[str, ...]):
    """Helm treats a section without keys as null, and the message names it."""
    values: Any = None
    for step in reversed(path):
        values = {step: values}
    assert f"missing property '{path[-1]}'" in refusal(values)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"tiers": {"high": {"threads": 0}}}, "/tiers/high/threads"),
        ({"tiers": {"high": {"threads": "4"}}}, "/tiers/high/threads"),
        ({"tiers": {"high": {"image": {"tag": "latest"}}}}, "/tiers/high/image/tag"),
        ({"tiers": {"high": {"image": {"digest": "sha256:short"}}}}, "/tiers/high/image/digest"),
        ({"tiers": {"high": {"image": {"repository": "team/high:1.2.3"}}}}, "/tiers/high/image/repository"),
        ({"tiers": {"high": {"resources": {"requests": {"memroy": "1Gi"}}}}}, "memroy"),
        ({"tiers": {"high": {"resources": {"limits": {"memory": "512mb"}}}}}, "/tiers/high/resources/limits/memory"),
        ({"settings": {"FINANCEHUB_LOG_LEVLE": "DEBUG"}}, "FINANCEHUB_LOG_LEVLE"),
        ({"tiers": {"scheduler": {}}}, "scheduler"),
        ({"tiers": {"web": {}}}, "web"),
        ({"web": {"mode": "readonly"}}, "/web/mode"),
        ({"web": {"hosts": "market.example.com"}}, "/web/hosts"),
        ({"web": {"auth": {"operators": [""]}}}, "/web/auth/operators/0"),
        ({"web": {"auth": {"trustedProxies": "10.0.0.0/8"}}}, "/web/auth/trustedProxies"),
        ({"web": {"replicas": 0}}, "/web/replicas"),
        ({"web": {"shutdownDelaySeconds": 0}}, "/web/shutdownDelaySeconds"),
        ({"web": {"autoscaling": {"minReplicas": 0}}}, "/web/autoscaling/minReplicas"),
        ({"web": {"service": {"type": "ExternalName"}}}, "/web/service/type"),
        ({"web": {"service": {"port": 0}}}, "/web/service/port"),
        ({"web": {"service": {"externalTrafficPolicy": "local"}}}, "/web/service/externalTrafficPolicy"),
        ({"web": {"service": {"loadBalancerSourceRanges": ["10.0.0.1"]}}}, "/web/service/loadBalancerSourceRanges/0"),
        ({"web": {"ingress": {"hosts": ["market.example.com"]}}}, "/web/ingress/hosts/0"),
        ({"web": {"ingress": {"hosts": [{"host": "a.example", "paths": ["/"]}]}}}, "/web/ingress/hosts/0/paths/0"),
        ({"web": {"httpRoute": {"hostname": "a.example"}}}, "hostname"),
        ({"tiers": {"High": {}}}, "High"),
        ({"commonLabels": {"app.kubernetes.io/name": "mine"}}, "app.kubernetes.io/name"),
        ({"tiers": {"high": {"podLabels": {"app.kubernetes.io/component": "low"}}}}, "app.kubernetes.io/component"),
        ({"fullnameOverride": "Finance_Hub"}, "/fullnameOverride"),
        ({"image": {"tag": "latest"}}, "/image/tag"),
        ({"image": {"pullPolicy": "Sometimes"}}, "/image/pullPolicy"),
        ({"autoscaling": {"mode": "none"}}, "/autoscaling/mode"),
        ({"scheduler": {"replicas": 0}}, "/scheduler/replicas"),
        ({"redis": {"memory": "1G"}}, "/redis/memory"),
        ({"externalRedis": {"url": "cache.example:6379"}}, "/externalRedis/url"),
        ({"settings": {"LOG_LEVEL": "DEBUG"}}, "LOG_LEVEL"),
        ({"assets": [{"symbol": "btc-usd", "type": "crypto"}]}, "/assets/0/symbol"),
        ({"assets": [{"symbol": "GLD", "type": "metal"}]}, "/assets/0/type"),
        ({"assets": [{"symbol": "GLD", "type": "stock", "kind": "metal"}]}, "/assets/0/kind"),
        ({"assets": [{"symbol": "GLD", "type": "stock", "aliases": ["G"]}]}, "/assets/0/aliases/0"),
        ({"assets": [{"symbol": "GLD", "type": "stock", "exchanges": ["New York"]}]}, "/assets/0/exchanges/0"),
        ({"assets": [{"symbol": "GLD", "type": "stock", "providers": {"yahoo": "A,B"}}]}, "/assets/0/providers/yahoo"),
        ({"metrics": {"podMonitor": {"interval": "30"}}}, "/metrics/podMonitor/interval"),
        ({"metrics": {"podMonitor": {"relabelings": [{"source_labels": ["pod"]}]}}}, "source_labels"),
        ({"metrics": {"podMonitor": {"namespace": "Monitoring"}}}, "/metrics/podMonitor/namespace"),
        ({"metrics": {"prometheusRule": {"ruleLabels": {"my-team": "data"}}}}, "my-team"),
        ({"metrics": {"prometheusRule": {"disabled": ["FinanceHubClockSkew"]}}}, "/metrics/prometheusRule/disabled"),
        (
            {"metrics": {"prometheusRule": {"overrides": {"FinanceHubClockSkew": {"for": "soon"}}}}},
            "/metrics/prometheusRule/overrides/FinanceHubClockSkew/for",
        ),
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


#: Sections whose entries are data, so one comment explains the whole section.
_CONTENT = ("assets:", "schedules:")


def test_values_have_comments() -> None:
    """Each key in values.yaml has a comment next to or above it. A repeated key has at least one comment."""
    lines = (CHART / "values.yaml").read_text(encoding="utf-8").splitlines()
    section, explained, named = "", set[str](), set[str]()
    for above, line in zip(["", *lines], lines, strict=False):
        key = re.match(r"( *)(\w+):( +[^# ])?", line)
        if key is None:
            continue
        section = section if key[1] else line
        # Headings need no comment.
        if section.startswith(_CONTENT) or not key[3]:
            continue
        named.add(key[2])
        if "# " in line or above.lstrip().startswith("#"):
            explained.add(key[2])
    assert named - explained == set()
