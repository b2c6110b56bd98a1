"""Tests that values in the formats of Kubernetes are checked before anything is installed."""

from typing import Any

import kubernetes_validate
import pytest
from kubernetes_validate.utils import major_minor

from support.chart import Document, refusal, render
from support.kubernetes_documents import faults
from support.kubernetes_values import ITEMS, MAPS, PEER, changes, has_formats, of_chart, of_kubernetes

VERSION = major_minor(kubernetes_validate.latest_version())


def _has_null(value: Any) -> bool:
    """Whether null is somewhere in a value. In the values it removes a default, and in a list it is refused."""
    if isinstance(value, dict):
        return any(map(_has_null, value.values()))
    return value is None or (isinstance(value, list) and any(map(_has_null, value)))


@pytest.mark.parametrize("name", [*ITEMS, *MAPS])
def test_chart_refuses_exactly_what_kubernetes_refuses(name: str):
    """Each change of a valid value is accepted by the chart's schema if and only if Kubernetes's schema accepts it."""
    kind, valid = ITEMS[name] if name in ITEMS else MAPS[name]
    values = (
        [(item, [item]) for each in valid for item in changes(each)]
        if name in ITEMS
        else [(item, item) for item in changes(valid)]
    )
    values = [(item, value) for item, value in values if not _has_null(item)]
    different = [
        item for item, value in values if of_chart(name).is_valid(value) is not of_kubernetes(kind).is_valid(item)
    ]
    assert len(values) > 20
    assert different == []


@pytest.mark.parametrize("name", ITEMS)
def test_null_is_no_item_of_a_list(name: str):
    """A list with an empty item is refused, but null instead of the list removes the default."""
    assert not of_chart(name).is_valid([None])
    assert of_chart(name).is_valid(None)


def _components(pod: dict[str, Any]) -> dict[str, Any]:
    return {"podDefaults": pod, "simulator": {"enabled": True}}


def _faults(documents: list[Document]) -> list[str]:
    kinds = {"Deployment", "StatefulSet", "Job", "Pod", "NetworkPolicy", "Ingress"}
    return faults([each for each in documents if each["kind"] in kinds], VERSION)


def _renamed(item: Any, index: int) -> Any:
    """Return an item that does not replace the others, because lists are joined by name."""
    return {**item, "name": f"{item['name']}-{index}"} if isinstance(item, dict) and "name" in item else item


@pytest.mark.parametrize("name", ITEMS)
def test_accepted_items_are_valid_once_rendered(name: str):
    """Whatever the schema and the formats accept as an item, Kubernetes accepts in the manifests."""
    kind, valid = ITEMS[name]
    changed = [item for each in valid for item in [each, *changes(each)]]
    items = [item for item in changed if of_chart(name).is_valid([item]) and has_formats(kind, item)]
    assert len(items) >= len(valid)
    named = [_renamed(item, index) for index, item in enumerate(items)]
    assert _faults(render(_components({name: named})).documents) == []


@pytest.mark.parametrize("name", MAPS)
def test_accepted_map_is_valid_once_rendered(name: str):
    """A valid map with null for each of its keys in turn, which removes the key, is valid in the manifests."""
    _, valid = MAPS[name]
    for value in [valid, {}, *({**valid, key: None} for key in valid)]:
        assert of_chart(name).is_valid(value)
        assert _faults(render(_components({name: value})).documents) == []


_SECTIONS = ("podDefaults", "tierDefaults", "scheduler", "web", "redis", "simulator", "crds", "tests")


@pytest.mark.parametrize(
    ("section", "name"), [(section, name) for index, name in enumerate(ITEMS) for section in (_SECTIONS[index % 8],)]
)
@pytest.mark.parametrize("wrong", [7, "text", {"unknown": 1}, None, ["text"]], ids=str)
def test_wrong_item_is_refused_with_its_path(section: str, name: str, wrong: Any):
    """Helm refuses a wrong item before it installs anything, and names the section, the value and the item."""
    _, valid = ITEMS[name]
    assert f"at '/{section}/{name}/1" in refusal({section: {name: [valid[0], wrong]}})


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"scheduler": {"extraEnv": [{"name": "A", "value": 1}]}}, "/scheduler/extraEnv/0/value': got number, want"),
        ({"scheduler": {"extraEnv": [{"value": "1"}]}}, "/scheduler/extraEnv/0': missing property 'name'"),
        ({"scheduler": {"extraEnv": {"A": "1"}}}, "/scheduler/extraEnv': got object, want"),
        (
            {"tiers": {"high": {"extraEnv": [{"name": "A", "value": True}]}}},
            "/tiers/high/extraEnv/0/value': got boolean",
        ),
        ({"web": {"tolerations": [{"keys": "a"}]}}, "/web/tolerations/0': additional properties 'keys' not allowed"),
        ({"redis": {"affinity": {"nodeAfinity": {}}}}, "/redis/affinity': additional properties 'nodeAfinity'"),
        ({"networkPolicy": {"metricsFrom": [{**PEER, "port": 1}]}}, "/networkPolicy/metricsFrom/0': additional"),
        ({"networkPolicy": {"ingressFrom": [{"ipBlock": "10.0.0.0/8"}]}}, "/networkPolicy/ingressFrom/0/ipBlock': got"),
        ({"networkPolicy": {"redisFrom": PEER}}, "/networkPolicy/redisFrom': got object, want array"),
        ({"web": {"ingress": {"tls": [{"secret": "a"}]}}}, "/web/ingress/tls/0': additional properties 'secret'"),
        ({"web": {"ingress": {"tls": [{"hosts": "a"}]}}}, "/web/ingress/tls/0/hosts': got string, want"),
        (
            {"web": {"httpRoute": {"parentRefs": [{"namespace": "a"}]}}},
            "/web/httpRoute/parentRefs/0': missing property",
        ),
        (
            {"web": {"httpRoute": {"matches": [{"path": "/"}]}}},
            "/web/httpRoute/matches/0/path': got string, want object",
        ),
        ({"web": {"httpRoute": {"filters": [{"type": "Rewrite"}]}}}, "/web/httpRoute/filters/0/type': value must be"),
        ({"web": {"httpRoute": {"timeouts": {"requests": "1s"}}}}, "/web/httpRoute/timeouts': additional properties"),
        ({"web": {"httpRoute": {"additionalRules": [{"backends": []}]}}}, "additionalRules/0': additional properties"),
        ({"metrics": {"podMonitor": {"relabelings": [{"action": "delete"}]}}}, "relabelings/0/action': value must be"),
        ({"metrics": {"prometheusRule": {"additionalGroups": [{"name": "a", "rules": [{}]}]}}}, "rules/0': missing"),
        (
            {"metrics": {"dashboards": {"grafanaOperator": {"instanceSelector": {"matchLabel": {}}}}}},
            "/instanceSelector': additional properties 'matchLabel'",
        ),
        ({"image": {"pullSecrets": [{"secret": "a"}]}}, "/image/pullSecrets/0': missing property 'name'"),
        ({"extraObjects": [7]}, "/extraObjects/0': got number, want string or object"),
    ],
    ids=str,
)
def test_wrong_value_in_a_foreign_format_is_refused_with_its_path(values: dict[str, Any], place: str):
    """The schema names the place, and what is wrong there."""
    message = refusal(values)
    assert place in message.replace("- at '': ", ""), message


_MOUNT = {"name": "a", "mountPath": "/a"}
_SPREAD = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"scheduler": {"extraEnv": [{"name": "A=1"}]}},
            'scheduler.extraEnv[0].name: "A=1" contains =; write the value',
        ),
        ({"scheduler": {"extraEnv": [{"name": ""}]}}, 'scheduler.extraEnv[0].name: "" is empty; write letters'),
        ({"web": {"extraEnvFrom": [{"prefix": "1 "}]}}, 'web.extraEnvFrom[0].prefix: "1 " begins with a digit'),
        ({"tierDefaults": {"extraVolumes": [{"name": "a.b"}]}}, 'tierDefaults.extraVolumes[0].name: "a.b" cannot be'),
        (
            {"redis": {"extraVolumeMounts": [_MOUNT | {"mountPath": "a"}]}},
            'redis.extraVolumeMounts[0].mountPath: "a" does',
        ),
        ({"crds": {"sidecars": [{"name": "A"}]}}, 'crds.sidecars[0].name: "A" cannot be the name of a container'),
        (
            {"tests": {"initContainers": [{"name": "a", "env": [{"name": "ä"}]}]}},
            'tests.initContainers[0].env[0].name: "ä" cannot be the name of an environment variable',
        ),
        (
            {"podDefaults": {"sidecars": [{"name": "a", "imagePullPolicy": "always"}]}},
            'podDefaults.sidecars[0].imagePullPolicy: "always" is not a pull policy; write Always',
        ),
        (
            {"web": {"tolerations": [{"operator": "exists"}]}},
            'web.tolerations[0].operator: "exists" is not an operator',
        ),
        ({"web": {"tolerations": [{"effect": "NoRun"}]}}, 'web.tolerations[0].effect: "NoRun" is not the effect'),
        (
            {"web": {"topologySpreadConstraints": [_SPREAD | {"whenUnsatisfiable": "Wait"}]}},
            'web.topologySpreadConstraints[0].whenUnsatisfiable: "Wait" cannot be done; write DoNotSchedule',
        ),
        ({"web": {"hostAliases": [{"ip": "a.example"}]}}, 'web.hostAliases[0].ip: "a.example" is not an IP address'),
        (
            {"web": {"dnsConfig": {"nameservers": ["10.0.0.0/8"]}}},
            'web.dnsConfig.nameservers[0]: "10.0.0.0/8" is a network',
        ),
        (
            {"networkPolicy": {"metricsFrom": [{"ipBlock": {"cidr": "10.0.0.1"}}]}},
            'networkPolicy.metricsFrom[0].ipBlock.cidr: "10.0.0.1" is not a network; write an address',
        ),
        (
            {"web": {"ingress": {"tls": [{"hosts": ["https://a.example"]}]}}},
            'web.ingress.tls[0].hosts[0]: "https://a.example" begins with a scheme; write only the host name',
        ),
    ],
    ids=str,
)
def test_string_that_only_kubernetes_would_refuse_is_refused_with_what_to_write(values: dict[str, Any], message: str):
    """The API server would refuse it when most of the release is already installed."""
    assert message in refusal(values)
