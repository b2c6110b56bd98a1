"""Tests that the lists of pods are joined by the keys of their entries, over podDefaults, tierDefaults and sections."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from support.chart import Document, render

#: The sections of a tier's values, in the order in which they are merged.
_LEVELS = ("podDefaults", "tierDefaults", "tiers")
_NAMES = ("one", "two", "three", "REDIS_PASSWORD", "four")
_PATHS = ("/one", "/one/", "/two", "/three", "/tmp", "/four/")  # noqa: S108 — in the pod

Entry = dict[str, Any]


def _variable(draw: random.Random, level: str) -> Entry:
    return {"name": draw.choice(_NAMES), "value": f"{level} {draw.random()}"}


def _volume(draw: random.Random, level: str) -> Entry:
    return {"name": draw.choice(["tmp", "a", "b", "c"]), "configMap": {"name": f"{level.lower()}-{draw.randrange(9)}"}}


def _mount(draw: random.Random, level: str) -> Entry:
    return {"mountPath": draw.choice(_PATHS), "name": draw.choice("abc"), "subPath": f"{level} {draw.random()}"}


def _container(draw: random.Random, level: str) -> Entry:
    return {"name": draw.choice(["a", "b", "c"]), "image": f"{level.lower()}:{draw.randrange(9)}"}


def _sidecar(draw: random.Random, level: str) -> Entry:
    return {"name": draw.choice(["d", "e", "f"]), "image": f"{level.lower()}:{draw.randrange(9)}"}


def _alias(draw: random.Random, level: str) -> Entry:
    return {"ip": draw.choice(["10.0.0.1", "10.0.0.2"]), "hostnames": [f"{level.lower()}.example"]}


def _toleration(draw: random.Random, level: str) -> Entry:
    return {"key": draw.choice("abc"), "operator": "Exists", "effect": draw.choice(["NoSchedule", "NoExecute"])}


def _source(draw: random.Random, level: str) -> Entry:
    return {"secretRef": {"name": draw.choice([level.lower(), "a", "b"])}}


def _constraint(draw: random.Random, level: str) -> Entry:
    key = draw.choice(["zone", "kubernetes.io/hostname"])
    return {
        "topologyKey": key,
        "whenUnsatisfiable": draw.choice(["DoNotSchedule", "ScheduleAnyway"]),
        "maxSkew": draw.randint(1, 9),
        "labelSelector": {"matchLabels": {"from": level}},
    }


#: Each list: what makes an entry, its identity, and where it is printed.
_LISTS: dict[str, tuple[Callable[[random.Random, str], Entry], Callable[[Entry], Any], Callable[[Document], Any]]] = {
    "extraEnv": (_variable, lambda each: each["name"], lambda spec: spec["containers"][0]["env"]),
    "extraEnvFrom": (_source, repr, lambda spec: spec["containers"][0]["envFrom"]),
    "extraVolumes": (_volume, lambda each: each["name"], lambda spec: spec["volumes"]),
    "extraVolumeMounts": (
        _mount,
        lambda each: each["mountPath"].removesuffix("/"),
        lambda spec: spec["containers"][0]["volumeMounts"],
    ),
    "initContainers": (_container, lambda each: each["name"], lambda spec: spec.get("initContainers", [])),
    "sidecars": (_sidecar, lambda each: each["name"], lambda spec: spec["containers"][1:]),
    "hostAliases": (_alias, lambda each: each["ip"], lambda spec: spec.get("hostAliases", [])),
    "tolerations": (_toleration, repr, lambda spec: spec.get("tolerations", [])),
    "topologySpreadConstraints": (
        _constraint,
        lambda each: (each["topologyKey"], each["whenUnsatisfiable"]),
        lambda spec: spec["topologySpreadConstraints"],
    ),
}


def _joined(entries: list[Entry], identity: Callable[[Entry], Any]) -> list[Entry]:
    """Return the last entry of each identity, at the place of the first one: the behavior that the tests require."""
    found: dict[Any, Entry] = {}
    for each in entries:
        found[identity(each)] = each
    return list(found.values())


@pytest.mark.parametrize("seed", range(12))
def test_lists_of_all_levels_are_joined(seed: int):
    """In each list, every identity occurs once, its last entry wins, nothing is lost, and the chart's own entries stay.

    The lists are random, and may name the same thing several times, also within a level.
    """
    draw = random.Random(seed)
    values: dict[str, Any] = {"podDefaults": {}, "tierDefaults": {}, "tiers": {"high": {}}}
    written: dict[str, list[Entry]] = {}
    for name, (make, _, _) in _LISTS.items():
        for level in _LEVELS:
            entries = [make(draw, level) for _ in range(draw.randint(0, 4))]
            section = values["tiers"]["high"] if level == "tiers" else values[level]
            section[name] = entries
            written.setdefault(name, []).extend(entries)
    before, after = (render(each).deployment("high")["spec"]["template"]["spec"] for each in ({}, values))
    for name, (_, identity, printed) in _LISTS.items():
        assert printed(after) == _joined([*printed(before), *written[name]], identity), name


def test_entries_of_the_defaults_reach_every_pod_that_they_are_for():
    """A variable of podDefaults reaches every container of FinanceHub but not Redis, and a volume reaches every pod."""
    variable, volume = (
        {"name": "HTTPS_PROXY", "value": "http://proxy:3128"},
        {"name": "ca", "configMap": {"name": "ca"}},
    )
    mount = {"name": "ca", "mountPath": "/ca"}
    defaults = {"extraEnv": [variable], "extraVolumes": [volume], "extraVolumeMounts": [mount]}
    own = {"extraEnv": [{"name": "ONLY_HERE", "value": "1"}]}
    values = {"podDefaults": defaults, "simulator": {"enabled": True}, "crds": {"keep": False}}
    manifests = render(values | {"tiers": {"high": own}, "redis": own})
    for name, pod in manifests.pods().items():
        assert volume in pod["spec"]["volumes"], name
        (container,) = pod["spec"]["containers"]
        assert mount in container["volumeMounts"], name
        assert (variable in container.get("env", [])) is (name != "StatefulSet/financehub-redis"), name
        has_own = own["extraEnv"][0] in container.get("env", [])
        assert has_own is (name in {"Deployment/financehub-high", "StatefulSet/financehub-redis"}), name


def test_own_variable_replaces_that_of_the_chart():
    """A variable of the values that the chart also sets, such as the password of Redis, occurs once, with its value."""
    variable = {"name": "REDIS_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "mine", "key": "password"}}}
    values = {"podDefaults": {"extraEnv": [variable]}}
    for component in ("high", "scheduler", "web"):
        (container,) = render(values).deployment(component)["spec"]["template"]["spec"]["containers"]
        assert [each for each in container["env"] if each["name"] == "REDIS_PASSWORD"] == [variable]


def test_variables_come_after_those_that_they_refer_to():
    """A variable that replaces an earlier one may refer to a later one, and the order of all others stays."""
    defaults = [{"name": "URL", "value": "a"}, {"name": "LAST", "value": "$(URL)/x"}, {"name": "HOST", "value": "h"}]
    own = [
        {"name": "URL", "value": "http://$(HOST):$(PORT)"},
        {"name": "PORT", "value": "1"},
        {"name": "SELF", "value": "$(SELF)"},
    ]
    values = {"podDefaults": {"extraEnv": defaults}, "tiers": {"high": {"extraEnv": own}}}
    (container,) = render(values).deployment("high")["spec"]["template"]["spec"]["containers"]
    assert [each["name"] for each in container["env"]] == ["REDIS_PASSWORD", "HOST", "PORT", "SELF", "URL", "LAST"]


def test_variables_that_refer_to_each_other_are_all_kept():
    """A circle of references has no order, and no variable is lost. Kubernetes then leaves one reference as it is."""
    circle = [{"name": "A", "value": "$(B)"}, {"name": "B", "value": "$(A)"}, {"name": "C", "value": "$(A)"}]
    (container,) = render({"web": {"extraEnv": circle}}).deployment("web")["spec"]["template"]["spec"]["containers"]
    assert {each["name"] for each in container["env"]} > {"A", "B", "C"}


def test_null_removes_a_value_of_the_defaults():
    """Null in a section removes a value of podDefaults, at any depth and also a whole list, for this section only."""
    defaults = {
        "nodeSelector": {"disk": "fast", "zone": "a"},
        "tolerations": [{"operator": "Exists"}],
        "priorityClassName": "urgent",
        "affinity": {"nodeAffinity": {}, "podAffinity": {}},
    }
    own = {
        "nodeSelector": {"zone": None},
        "tolerations": None,
        "priorityClassName": None,
        "affinity": {"podAffinity": None},
    }
    manifests = render({"podDefaults": defaults, "tiers": {"high": own}, "redis": own})
    pods = manifests.pods()
    for name in ("Deployment/financehub-high", "StatefulSet/financehub-redis"):
        spec = pods[name]["spec"]
        assert spec["nodeSelector"] == {"disk": "fast"}
        assert spec["affinity"] == {"nodeAffinity": {}}
        assert not {"tolerations", "priorityClassName"} & spec.keys()
    assert pods["Deployment/financehub-low"]["spec"]["nodeSelector"] == defaults["nodeSelector"]


def test_lists_within_values_and_handlers_are_replaced():
    """A list within a value is not joined, because it may depend on all of its items, and neither is a handler."""
    terms = {tier: [{"matchExpressions": [{"key": tier, "operator": "Exists"}]}] for tier in ("all", "high")}
    affinity = {
        tier: {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": each}}}
        for tier, each in terms.items()
    }
    defaults = {"affinity": affinity["all"], "lifecycle": {"preStop": {"sleep": {"seconds": 1}}}}
    own = {"affinity": affinity["high"], "lifecycle": {"preStop": {"exec": {"command": ["true"]}}}}
    spec = render({"podDefaults": defaults, "tiers": {"high": own}}).deployment("high")["spec"]["template"]["spec"]
    assert spec["affinity"] == affinity["high"]
    assert spec["containers"][0]["lifecycle"] == own["lifecycle"]


def test_empty_name_of_a_class_keeps_that_of_the_defaults():
    """Values that were copied from an older values.yaml have priorityClassName: "", which is not a class."""
    values = {"podDefaults": {"priorityClassName": "urgent"}, "scheduler": {"priorityClassName": ""}}
    assert render(values).deployment("scheduler")["spec"]["template"]["spec"]["priorityClassName"] == "urgent"
