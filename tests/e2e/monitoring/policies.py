"""Evaluates NetworkPolicies from their manifests, because the test node does not enforce them."""

from collections.abc import Iterable, Mapping
from typing import Any


def admits(
    policies: Iterable[Mapping[str, Any]], pod: Mapping[str, Any], namespace: Mapping[str, Any], port: int
) -> bool:
    """Whether the policies allow every pod of another namespace to reach a pod's port.

    Args:
        policies: All NetworkPolicies of the pod's namespace.
        pod: The pod to reach.
        namespace: The other namespace.
        port: Number of the TCP port.
    """
    applicable = [
        policy["spec"]
        for policy in policies
        if "Ingress" in policy["spec"]["policyTypes"] and _selects(policy["spec"]["podSelector"], pod)
    ]
    rules = [rule for spec in applicable for rule in spec.get("ingress", [])]
    return not applicable or any(_allows_port(rule, pod, port) and _allows_from(rule, namespace) for rule in rules)


def _allows_port(rule: Mapping[str, Any], pod: Mapping[str, Any], port: int) -> bool:
    names = {
        container_port["name"]: container_port["containerPort"]
        for container in pod["spec"]["containers"]
        for container_port in container.get("ports", [])
        if "name" in container_port
    }
    return "ports" not in rule or any(names.get(allowed["port"], allowed["port"]) == port for allowed in rule["ports"])


def _allows_from(rule: Mapping[str, Any], namespace: Mapping[str, Any]) -> bool:
    # A peer with a podSelector selects only some pods of the namespace.
    return "from" not in rule or any(
        "podSelector" not in peer and "namespaceSelector" in peer and _selects(peer["namespaceSelector"], namespace)
        for peer in rule["from"]
    )


def _selects(selector: Mapping[str, Any], resource: Mapping[str, Any]) -> bool:
    labels = resource["metadata"].get("labels", {})
    return all(labels.get(name) == value for name, value in selector.get("matchLabels", {}).items()) and all(
        _is_true(expression, labels) for expression in selector.get("matchExpressions", [])
    )


def _is_true(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value, values = labels.get(expression["key"]), expression.get("values", [])
    results = {
        "In": value in values,
        "NotIn": value not in values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }
    return results[expression["operator"]]
