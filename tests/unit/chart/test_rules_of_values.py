"""Tests that keys that exclude or require each other in Kubernetes are refused before anything is installed."""

from typing import Any

import pytest

from support.chart import refusal

_SPREAD = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
_HANDLERS = {"exec": {"command": ["true"]}, "sleep": {"seconds": 5}}
_FROM_SECRET = {"secretKeyRef": {"name": "mine", "key": "a"}}
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"web": {"extraEnv": [{"name": "A", "value": "1", "valueFrom": _FROM_SECRET}]}}, "web.extraEnv[0]: value and"),
        ({"web": {"extraEnv": [{"name": "A", "valueFrom": {}}]}}, "web.extraEnv[0].valueFrom: none of configMapKeyRef"),
        (
            {"web": {"extraEnv": [{"name": "A", "valueFrom": _FROM_SECRET | {"fieldRef": {"fieldPath": "a"}}}]}},
            "web.extraEnv[0].valueFrom: secretKeyRef and fieldRef are both set; write only one of them",
        ),
        ({"tests": {"extraEnvFrom": [{"prefix": "A_"}]}}, "tests.extraEnvFrom[0]: none of configMapRef, secretRef is"),
        (
            {"redis": {"extraVolumes": [{"name": "a", "emptyDir": {}, "secret": {}}]}},
            "redis.extraVolumes[0]: secret and emptyDir are both set; write only one of them",
        ),
        (
            {"podDefaults": {"tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]}},
            "podDefaults.tolerations[0].value: cannot be set if operator is Exists; remove one of them",
        ),
        (
            {"crds": {"tolerations": [{"value": "b"}]}},
            "crds.tolerations[0].key: missing, although operator is missing; write it",
        ),
        (
            {
                "web": {
                    "topologySpreadConstraints": [_SPREAD | {"whenUnsatisfiable": "ScheduleAnyway", "minDomains": 2}]
                }
            },
            "web.topologySpreadConstraints[0].minDomains: cannot be set if whenUnsatisfiable is ScheduleAnyway",
        ),
        (
            {"web": {"topologySpreadConstraints": [_SPREAD | {"maxSkew": 0}]}},
            "topologySpreadConstraints/0/maxSkew': minimum",
        ),
        ({"web": {"podSecurityContext": {"runAsUser": -1}}}, "at '/web/podSecurityContext/runAsUser': minimum: got -1"),
        (
            {"web": {"containerSecurityContext": {"runAsGroup": 2**31}}},
            "/containerSecurityContext/runAsGroup': maximum",
        ),
        ({"web": {"resources": {"limits": {"cpu": -1}}}}, "at '/web/resources/limits/cpu': minimum: got -1, want 0"),
        ({"redis": {"cpu": ""}}, 'redis.cpu: "" is empty; write one such as 500m or 2'),
        ({"redis": {"persistence": {"accessModes": []}}}, "redis.persistence.accessModes: [] is empty; write at least"),
        *(
            (
                {"networkPolicy": {"egress": {name: []}}},
                f"networkPolicy.egress.{name}: [] is empty; write at least 1 entry",
            )
            for name in ("providerPorts", "dnsPorts", "apiServerPorts")
        ),
        (
            {"web": {"dnsConfig": {"nameservers": [f"10.0.0.{each}" for each in range(4)]}}},
            "web.dnsConfig.nameservers: has 4 entries; write at most 3",
        ),
        (
            {"web": {"affinity": {"nodeAffinity": {_REQUIRED: {"nodeSelectorTerms": []}}}}},
            f"web.affinity.nodeAffinity.{_REQUIRED}.nodeSelectorTerms: [] is empty; write at least 1 entry",
        ),
        ({"web": {"lifecycle": {"postStart": {}}}}, "web.lifecycle.postStart: none of exec, httpGet, tcpSocket, sleep"),
        ({"web": {"lifecycle": {"preStop": _HANDLERS}}}, "web.lifecycle.preStop: exec and sleep are both set"),
        (
            {"web": {"podSecurityContext": {"seccompProfile": {"type": "Localhost"}}}},
            "web.podSecurityContext.seccompProfile.localhostProfile: missing, although type is Localhost; write it",
        ),
        ({"web": {"sidecars": [{"name": "a"}]}}, "web.sidecars[0].image: missing; write it"),
        (
            {"web": {"sidecars": [{"name": "a", "image": "b", "env": [{"name": "A"}, {"name": "A"}]}]}},
            "web.sidecars[0].env: A is written twice; remove one of them",
        ),
        ({"networkPolicy": {"ingressFrom": [{}]}}, "networkPolicy.ingressFrom[0]: none of podSelector"),
        (
            {"networkPolicy": {"egress": {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}}]}}},
            "networkPolicy.egress.to[0]: ipBlock and podSelector are both set; write only one of them",
        ),
        ({"networkPolicy": {"redisFrom": [{"ipBlock": {"cidr": "10.0.0.0/99"}}]}}, 'cidr: "10.0.0.0/99" is not a'),
        ({"extraObjects": [{"a": 1}]}, "at '/extraObjects/0': missing properties 'apiVersion', 'kind'"),
    ],
    ids=str,
)
def test_keys_that_kubernetes_refuses_together_are_refused_with_what_to_write(values: dict[str, Any], message: str):
    """Kubernetes's own schemas do not contain these rules, so only its API server would check them."""
    assert message in refusal(values)
