"""Tests that a value that is left empty has its default, or is removed or refused as documented."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from support.chart import CHART, Document, label, refusal, render
from support.values_schema import DEFAULTS

Path = tuple[str, ...]

_KEYS: Document = json.loads((CHART / "files/defaults.json").read_text(encoding="utf-8"))["keys"]
#: Null is documented for these: it removes the default, or is the default.
_REMOVABLE = {
    *("global.imageRegistry", "global.imagePullSecrets"),
    *("tierDefaults.terminationGracePeriodSeconds", "web.service.nodePort"),
}
#: The values of every pod, which null removes.
_POD = {*DEFAULTS["podDefaults"], "labels", "annotations", "serviceAccount"}
#: Sections with pods, whose own keys null may remove.
_SECTIONS = {"podDefaults", "tierDefaults", "scheduler", "web", "redis", "simulator", "crds", "tests"}
#: The user chooses the keys of these maps.
_FREE = {"tiers", "schedules", "assets"}
#: Values with which the optional parts of the chart exist.
_PARTS: dict[str, Document] = {
    "the defaults": {},
    "the optional parts": {
        "web": {
            "ingress": {"enabled": True, "hosts": [{"host": "a.example.com"}]},
            "httpRoute": {"enabled": True, "parentRefs": [{"name": "public"}]},
            "autoscaling": {"enabled": True},
        },
        "simulator": {"enabled": True},
        "networkPolicy": {"egress": {"enabled": True}},
        "metrics": {
            "podMonitor": {"enabled": True},
            "prometheusRule": {"enabled": True},
            "dashboards": {
                "enabled": True,
                "grafanaOperator": {"enabled": True, "instanceSelector": {"matchLabels": {"a": "b"}}},
            },
        },
        "autoscaling": {"mode": "keda"},
    },
    "an external Redis": {
        "redis": {"enabled": False},
        "externalRedis": {
            "host": "db.example.com",
            "existingSecret": "mine",
            "tls": {"caSecret": "ca", "enabled": True},
        },
        "egress": {"proxy": "http://proxy.example.com:3128", "caSecret": "ca"},
        "networkPolicy": {"egress": {"enabled": True}},
    },
    "fixed numbers of pods": {"tierDefaults": {"autoscaling": {"enabled": False}}},
}


def _paths(values: Document, path: Path = ()) -> Iterator[Path]:
    """Yield the path of every value with a fixed key, of maps too."""
    for name, each in values.items():
        inner = (*path, name)
        yield inner
        if isinstance(each, dict) and not (len(inner) == 1 and name in _FREE):
            yield from _paths(each, inner)


def _is_removable(path: Path) -> bool:
    in_pod = path[0] in _SECTIONS and len(path) > 1 and path[1] in _POD
    in_password_job = path[:2] == ("redis", "passwordJob") and len(path) > 2
    return in_pod or in_password_job or ".".join(path) in _REMOVABLE


PATHS = [path for path in _paths(DEFAULTS) if path not in {("global",), ("assets",)} and not _is_removable(path)]


def _without(values: Document, paths: list[Path]) -> Document:
    """Return the values with null at those paths that they do not set."""
    found = copy.deepcopy(values)
    for path in paths:
        into: Any = found
        for step in path[:-1]:
            into = into.setdefault(step, {})
            if into is None:
                break
        if into is not None:
            into.setdefault(path[-1], None)
    return found


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
@pytest.mark.parametrize("parts", _PARTS)
def test_values_that_are_left_empty_have_their_defaults(parts: str, depth: int):
    """With null for each value of one depth that is not documented as removable, the chart renders the same objects."""
    expected = render(_PARTS[parts]).documents
    empty = _without(_PARTS[parts], [path for path in PATHS if len(path) == depth])
    found = render(empty).documents
    for each, other in zip(expected, found, strict=False):
        assert other == each, label(each)
    assert len(found) == len(expected)


def test_every_value_that_cannot_be_removed_has_a_default():
    """files/defaults.json has exactly the values of values.yaml that are not documented as removable."""
    listed = [path for path in _paths(_KEYS) if path[:1] != ("global",)]
    assert sorted(listed) == sorted(PATHS)


REMOVABLE = [path for path in _paths(DEFAULTS) if _is_removable(path)]


def test_removable_values_that_are_left_empty_disable_nothing():
    """With null for every value that may be removed, each object stays. Null for a whole section is its default."""
    parts: Document = {"autoscaling": {"mode": "keda"}, "simulator": {"enabled": True}}
    found = render(_without(parts, REMOVABLE))
    assert [*map(label, found.documents)] == [*map(label, render(parts).documents)]
    for section in sorted(_SECTIONS):
        assert render({section: None}).documents == render().documents, section


#: Values of the user's own maps, and a part of the message if they are refused. The others have their defaults.
_OWN_KEYS: dict[str, tuple[Document, str]] = {
    "all assets": ({"assets": None}, "assets: "),
    "the image of a tier": ({"tiers": {"high": {"image": None}}}, "tiers.high.image.repository: missing"),
    "the repository of a tier": ({"tiers": {"high": {"image": {"repository": None}}}}, "tiers.high.image.repository: "),
    "the module of a tier": ({"tiers": {"high": {"module": None}}}, "tiers.high.module: missing"),
    "a number of a tier that only tierDefaults has": ({"tiers": {"low": {"replicas": None}}}, "got null, want integer"),
    "autoscaling of a tier": ({"tiers": {"low": {"autoscaling": {"enabled": None}}}}, "got null, want boolean"),
    "the spread of a tier": ({"tiers": {"low": {"spread": None}}}, "got null, want boolean"),
    "a tier whose queue has schedules": ({"tiers": {"low": None}}, "no tier serves its queue low"),
}


@pytest.mark.parametrize("case", _OWN_KEYS)
def test_keys_of_a_users_map_that_are_left_empty_are_refused(case: str):
    """A key that the chart needs and for which no default would be right is refused, with its path."""
    values, part = _OWN_KEYS[case]
    assert part in refusal(values)


def test_keys_of_a_tier_that_are_left_empty_have_the_values_of_tier_defaults():
    """A key of a shipped tier that is left empty means the value of tierDefaults, and never 0."""
    found = render({"tiers": {"high": {"threads": None, "shutdownTimeoutSeconds": None}}})
    (container,) = found.deployment("high")["spec"]["template"]["spec"]["containers"]
    assert {"--threads=2", "--worker-shutdown-timeout=60000"} <= {*container["command"]}


def test_definition_is_deleted_only_if_keep_is_false():
    """A key that is left empty keeps the definition and with it every ScheduledTask."""
    job = "financehub-crd-delete"
    assert render({"crds": {"keep": False}}).has("Job", job)
    for kept in ({"keep": None}, {"keep": True}, None):
        assert not render({"crds": kept}).has("Job", job)
