"""values.schema.json: what is no value of the chart is refused, wherever it stands."""

import copy
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from support.chart import CHART, chart, refusal, render

SCHEMA: dict[str, Any] = chart().schema or {}
DEFAULTS: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))

#: Keys of these are the user's own.
_OPEN = {"global", "commonLabels", "tiers", "schedules", "kwargs", "ruleLabels", "disabled"}
#: What Kubernetes takes as a whole; the API server checks it.
_AS_KUBERNETES = {
    *("affinity", "tolerations", "nodeSelector", "podLabels", "podAnnotations", "labels", "annotations"),
    *(
        "extraEnv",
        "extraEnvFrom",
        "extraVolumes",
        "extraVolumeMounts",
        "metricsFrom",
        "redisFrom",
        "requests",
        "limits",
        "additionalGroups",
        "instanceSelector",
    ),
    # the templates refuse what is not known there, with the list of what is
    "overrides",
}


def _levels(schema: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Path and schema of every object that a user fills in: `*` stands for any tier, schedule or asset."""
    # null takes an entry away; everything else has to be one
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
def test_every_level_is_closed(level: str):
    """No level takes just any key, but those whose keys are the user's."""
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
def test_a_typing_error_is_named(path: tuple[str | int, ...]):
    """A key that does not exist is refused at every level of values.yaml, by its name."""
    values = copy.deepcopy(DEFAULTS)
    place = values
    for step in path:
        place = place[step]
    place["enabeld"] = True
    assert "'enabeld'" in refusal(values)


# settings are explained where they are read
@pytest.mark.parametrize("level", [level for level, (path, _) in LEVELS.items() if not {"*", "settings"} & {*path}])
def test_values_and_schema_know_the_same_names(level: str):
    """What the schema allows stands in values.yaml, where it is explained; at every level but inside a user's own."""
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


# those of tierDefaults are a tier's too, which need not have them
@pytest.mark.parametrize("path", [path for path in SECTIONS if path[:-1] != ("tierDefaults",)], ids=".".join)
def test_a_section_that_was_emptied_is_named(path: tuple[str, ...]):
    """A section of which only the heading is left is null for Helm: that is refused, by its name."""
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
def test_what_cannot_be_is_refused_where_it_stands(values: dict[str, Any], named: str):
    """A value of a wrong type or out of its bounds is refused before anything is rendered, with its place."""
    message = refusal(values)
    assert "values don't meet the specifications of the schema" in message
    assert named in message


def test_a_default_tier_and_schedule_can_be_left_out():
    """`null` takes a tier or a schedule of the chart away, as everywhere in Helm."""
    gone = render({"tiers": {"low": None}, "schedules": dict.fromkeys(_of_tier("low"))})
    assert not gone.has("Deployment", "financehub-low")
    left = {each["metadata"]["name"] for each in gone.all("ScheduledTask")}
    assert left == DEFAULTS["schedules"].keys() - _of_tier("low")


def _of_tier(queue: str) -> set[str]:
    queues = yaml.safe_load((CHART / "files" / "queues.yaml").read_text(encoding="utf-8"))
    return {name for name, each in DEFAULTS["schedules"].items() if queues[each["spec"]["task"]] == queue}


#: Sections that are the user's content, and explained as a whole.
_CONTENT = ("assets:", "schedules:")


def test_every_value_is_explained_where_it_stands() -> None:
    """Each name in values.yaml has a comment beside or above it; one that comes several times, once at least."""
    lines = (CHART / "values.yaml").read_text(encoding="utf-8").splitlines()
    section, explained, named = "", set[str](), set[str]()
    for above, line in zip(["", *lines], lines, strict=False):
        key = re.match(r"( *)(\w+):( +[^# ])?", line)
        if key is None:
            continue
        section = section if key[1] else line
        # a heading needs none
        if section.startswith(_CONTENT) or not key[3]:
            continue
        named.add(key[2])
        if "# " in line or above.lstrip().startswith("#"):
            explained.add(key[2])
    assert named - explained == set()
