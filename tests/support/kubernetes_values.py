"""Valid values in the formats of Kubernetes, and all small changes of them."""

import copy
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import yaml

from chart.kubernetes import full_name
from chart.notation import KUBERNETES, Node, parse, resolved, source
from support.values_schema import SCHEMA
from support.wrong_strings import mistake

_FOLDER = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"

#: Valid items of each list of a pod, with their definition.
ITEMS: dict[str, tuple[str, list[Any]]] = {
    name: (kind, yaml.load(items, Loader=yaml.CSafeLoader))
    for name, kind, items in (
        (
            "extraEnv",
            "EnvVar",
            "[{name: A, value: '1'}, {name: B, valueFrom: {secretKeyRef: {name: mine, key: b, optional: true}}}]",
        ),
        (
            "extraEnvFrom",
            "EnvFromSource",
            "[{secretRef: {name: mine}}, {prefix: P_, configMapRef: {name: mine, optional: true}}]",
        ),
        (
            "extraVolumes",
            "Volume",
            """
            - {name: a, configMap: {name: mine, defaultMode: 256, items: [{key: a, path: b, mode: 256}]}}
            - {name: b, emptyDir: {medium: Memory, sizeLimit: 1Gi}}
            - {name: c, csi: {driver: secrets-store.csi.k8s.io, readOnly: true, volumeAttributes: {a: b}}}
            - {name: d, projected: {sources: [{serviceAccountToken: {path: t, audience: a, expirationSeconds: 600}}]}}
            """,
        ),
        (
            "extraVolumeMounts",
            "VolumeMount",
            "[{name: a, mountPath: /a, subPath: b, readOnly: true, mountPropagation: None}]",
        ),
        (
            "tolerations",
            "Toleration",
            "[{key: market, operator: Equal, value: fast, effect: NoExecute, tolerationSeconds: 60}]",
        ),
        (
            "topologySpreadConstraints",
            "TopologySpreadConstraint",
            """
            - maxSkew: 1
              topologyKey: topology.kubernetes.io/zone
              whenUnsatisfiable: DoNotSchedule
              minDomains: 2
              labelSelector: {matchExpressions: [{key: a, operator: In, values: [b]}]}
            """,
        ),
        ("hostAliases", "HostAlias", "[{ip: 10.0.0.1, hostnames: [a.example, b.example]}]"),
        (
            "initContainers",
            "Container",
            """
            - name: wait
              image: busybox:1
              command: [sh, -c, exit 0]
              env: [{name: A, value: b}]
              ports: [{name: http, containerPort: 8080, protocol: TCP}]
              resources: {limits: {cpu: 100m, memory: 64Mi}}
              livenessProbe: {httpGet: {path: /, port: http, httpHeaders: [{name: a, value: b}]}, periodSeconds: 5}
              securityContext: {capabilities: {drop: [ALL]}, seccompProfile: {type: RuntimeDefault}}
            """,
        ),
        ("sidecars", "Container", "[{name: proxy, image: 'envoy:1', lifecycle: {preStop: {sleep: {seconds: 5}}}}]"),
    )
}
#: Valid maps of a pod, with their definition.
MAPS: dict[str, tuple[str, Any]] = {
    name: (kind, yaml.load(value, Loader=yaml.CSafeLoader))
    for name, kind, value in (
        (
            "affinity",
            "Affinity",
            """
            nodeAffinity:
              requiredDuringSchedulingIgnoredDuringExecution:
                nodeSelectorTerms: [{matchExpressions: [{key: zone, operator: In, values: [a]}]}]
            podAntiAffinity:
              preferredDuringSchedulingIgnoredDuringExecution:
                - {weight: 1, podAffinityTerm: {topologyKey: a, labelSelector: {matchLabels: {a: b}}}}
            """,
        ),
        (
            "dnsConfig",
            "PodDNSConfig",
            "{nameservers: [10.0.0.10], searches: [a.b], options: [{name: ndots, value: '2'}]}",
        ),
        ("lifecycle", "Lifecycle", "{preStop: {exec: {command: [sleep, '5']}}, postStart: {httpGet: {port: 80}}}"),
        (
            "podSecurityContext",
            "PodSecurityContext",
            "{runAsUser: 1, fsGroup: 2, supplementalGroups: [3], sysctls: [{name: a, value: b}]}",
        ),
        (
            "containerSecurityContext",
            "SecurityContext",
            "{runAsUser: 1, readOnlyRootFilesystem: true, capabilities: {drop: [ALL], add: [CHOWN]}}",
        ),
    )
}
PEER = yaml.load(
    "{namespaceSelector: {matchLabels: {a: b}}, podSelector: {matchExpressions: [{key: a, operator: Exists}]}}",
    Loader=yaml.CSafeLoader,
)
_OTHER_TYPES: tuple[Any, ...] = (7, "text", True, None, [], {}, ["text"], {"unknown": 1})


def changes(value: Any) -> Iterator[Any]:
    """Yield copies of a value with one change: another type in one place, a missing key, or an unknown one."""
    for other in _OTHER_TYPES:
        yield copy.deepcopy(other)
    if isinstance(value, dict):
        yield {**value, "unknown": 1}
        for key, each in value.items():
            yield {name: other for name, other in value.items() if name != key}
            for changed in changes(each):
                yield {**value, key: changed}
    if isinstance(value, list):
        for index, each in enumerate(value):
            for changed in changes(each):
                yield [*value[:index], changed, *value[index + 1 :]]


@cache
def _kubernetes() -> dict[str, Any]:
    (folder,) = _FOLDER.glob(f"v{kubernetes_validate.latest_version()}*-strict")
    found: dict[str, Any] = json.loads((folder / "_definitions.json").read_text(encoding="utf-8"))["$defs"]
    return found


@cache
def of_kubernetes(kind: str) -> jsonschema.Draft7Validator:
    """Return a validator with Kubernetes's own definition of a kind."""
    return jsonschema.Draft7Validator({"$ref": f"#/$defs/{full_name(kind)}", "$defs": _kubernetes()})


@cache
def of_chart(path: str) -> jsonschema.Draft7Validator:
    """Return a validator with the part of the chart's schema at a path of `podDefaults`, such as `extraEnv`."""
    return jsonschema.Draft7Validator({"$ref": f"#/$defs/pod/properties/{path}", "$defs": SCHEMA["$defs"]})


def has_formats(kind: str, item: Any) -> bool:
    """Whether each string of an item has the format that structure.yaml states for this kind."""
    written = source()["kubernetes"].get(kind)
    return written is None or _has_formats(parse(written), item)


def _filled(value: dict[str, Any], keys: list[str]) -> list[str]:
    return [key for key in keys if value.get(key) or isinstance(value.get(key), dict)]


def _is_broken(rule: dict[str, Any], value: dict[str, Any] | list[Any]) -> bool:
    """Whether a map or a list breaks a rule of structure.yaml."""
    if isinstance(value, list):
        distinct = [str(each.get(rule["distinct"])) for each in value] if "distinct" in rule else []
        is_long = "limit" in rule and len(value) > rule["limit"]
        return is_long or len(value) < rule.get("least", 0) or len({*distinct}) < len(distinct)
    if "when" in rule:
        texts = {key: "" if value.get(key) is None else str(value[key]) for key in rule["when"]}
        texts = {key: text.lower() if isinstance(value.get(key), bool) else text for key, text in texts.items()}
        if any(texts[key] not in choices for key, choices in rule["when"].items()):
            return False
        missing = len(_filled(value, rule.get("needs", []))) < len(rule.get("needs", []))
        return missing or bool(_filled(value, rule.get("refuses", [])))
    for name, least, limit in (("one", 1, 1), ("most", 0, 1), ("some", 1, 99)):
        if name in rule and not least <= len(_filled(value, rule[name])) <= limit:
            return True
    return False


def _has_formats(node: Node, value: Any) -> bool:
    if node.reference:
        _, is_of_kubernetes, kind = node.reference.partition(f"{KUBERNETES} ")
        return has_formats(kind, value) if is_of_kubernetes else _has_formats(resolved(node), value)
    if isinstance(value, str) and node.format:
        return mistake(node.format, node.filled, value) is None
    if not isinstance(value, dict | list):
        return True
    is_broken = any(_is_broken(rule, value) for rule in node.rules)
    if isinstance(value, list):
        return not is_broken and all(_has_formats(node.items, each) for each in value if node.items)
    if is_broken or (node.keys and any(mistake(node.keys, True, key) for key in value)):
        return False
    inner = {name: node.properties.get(name) or node.values for name in value}
    return all(_has_formats(each, value[name]) for name, each in inner.items() if each)
