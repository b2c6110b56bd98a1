"""What stored NetworkPolicies allow, evaluated from their data: the node of the tests does not enforce them."""

from collections.abc import Iterable, Mapping
from typing import Any


def admits(
    policies: Iterable[Mapping[str, Any]], pod: Mapping[str, Any], namespace: Mapping[str, Any], port: int
) -> bool:
    """Whether a pod may be reached at a port from any pod of another namespace.

    Args:
        policies: all NetworkPolicies of the pod's namespace.
        pod: that is reached.
        namespace: from which it is reached.
        port: at which it is reached, TCP.
    """
    guarding = [
        each["spec"]
        for each in policies
        if "Ingress" in each["spec"]["policyTypes"] and _selects(each["spec"]["podSelector"], pod)
    ]
    rules = [rule for spec in guarding for rule in spec.get("ingress", [])]
    return not guarding or any(_opens(rule, pod, port) and _is_for(rule, namespace) for rule in rules)


def _opens(rule: Mapping[str, Any], pod: Mapping[str, Any], port: int) -> bool:
    names = {
        one["name"]: one["containerPort"]
        for container in pod["spec"]["containers"]
        for one in container.get("ports", [])
        if "name" in one
    }
    return "ports" not in rule or any(names.get(each["port"], each["port"]) == port for each in rule["ports"])


def _is_for(rule: Mapping[str, Any], namespace: Mapping[str, Any]) -> bool:
    # a peer with a podSelector takes some pods of the namespace, not any
    return "from" not in rule or any(
        "podSelector" not in peer and "namespaceSelector" in peer and _selects(peer["namespaceSelector"], namespace)
        for peer in rule["from"]
    )


def _selects(selector: Mapping[str, Any], resource: Mapping[str, Any]) -> bool:
    labels = resource["metadata"].get("labels", {})
    return all(labels.get(name) == value for name, value in selector.get("matchLabels", {}).items()) and all(
        _holds(each, labels) for each in selector.get("matchExpressions", [])
    )


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value, values = labels.get(expression["key"]), expression.get("values", [])
    holds = {
        "In": value in values,
        "NotIn": value not in values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }
    return holds[expression["operator"]]
