"""Manages RBAC roles of service accounts."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

_API = "rbac.authorization.k8s.io"
_LIMIT_SECONDS = 180


class Request(Protocol):
    """Sends a request to the API server as an administrator and returns the JSON response."""

    def __call__(self, method: str, path: str, body: Any = None) -> Any: ...


def grant(
    request: Request, namespace: str, account: str, rules: Sequence[Mapping[str, Any]], *, everywhere: bool = False
) -> None:
    """Create a role and its binding, and wait until they are in effect.

    Args:
        request: Sends requests to the API server.
        namespace: Namespace of the service account.
        account: Name of the service account.
        rules: RBAC rules.
        everywhere: Whether to create a ClusterRole instead of a Role in the namespace.
    """
    kind, scope, name = "Role", f"/namespaces/{namespace}", account
    if everywhere:
        # A unique name, because all tests in a run share ClusterRoles.
        kind, scope, name = "ClusterRole", "", f"{namespace}-{account}"
    path = f"/apis/{_API}/v1{scope}/{kind.lower()}"
    request("POST", f"{path}s", {"metadata": {"name": name}, "rules": list(rules)})
    binding = {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": _API, "kind": kind, "name": name},
        "subjects": [{"kind": "ServiceAccount", "namespace": namespace, "name": account}],
    }
    request("POST", f"{path}bindings", binding)
    wait_until_in_effect(request, namespace, account, rules[-1])


def replace_rules(request: Request, namespace: str, account: str, rules: Sequence[Mapping[str, Any]]) -> None:
    """Replace the rules of a Role that `grant` created, and wait until the new rules are in effect.

    Args:
        request: Sends requests to the API server.
        namespace: Namespace of the service account.
        account: Name of the service account and of the role.
        rules: The new RBAC rules.
    """
    path = f"/apis/{_API}/v1/namespaces/{namespace}/roles/{account}"
    role = request("GET", path)
    request("PUT", path, role | {"rules": list(rules)})
    for rule in rules:
        wait_until_in_effect(request, namespace, account, rule)
    for rule in role["rules"]:
        if rule not in rules:
            wait_until_in_effect(request, namespace, account, rule, allowed=False)


def wait_until_in_effect(
    request: Request, namespace: str, account: str, rule: Mapping[str, Any], *, allowed: bool = True
) -> None:
    """Wait until the authorizer grants a rule, or until it no longer does."""
    limit = time.monotonic() + _LIMIT_SECONDS
    while _allows(request, namespace, account, rule) != allowed:
        assert time.monotonic() < limit, f"{rule} does not take effect for {account}"
        time.sleep(0.01)


def _allows(request: Request, namespace: str, account: str, rule: Mapping[str, Any]) -> bool:
    """Whether the account has the first right that the rule names."""
    review_spec: dict[str, Any] = {"user": f"system:serviceaccount:{namespace}:{account}"}
    if "nonResourceURLs" in rule:
        review_spec["nonResourceAttributes"] = {"path": rule["nonResourceURLs"][0], "verb": rule["verbs"][0]}
    else:
        resource, _, subresource = rule["resources"][0].partition("/")
        review_spec["resourceAttributes"] = {
            "namespace": namespace,
            "group": rule["apiGroups"][0],
            "resource": resource,
            "subresource": subresource,
            "name": rule.get("resourceNames", [""])[0],
            "verb": rule["verbs"][0],
        }
    review = request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {"spec": review_spec})
    return bool(review["status"]["allowed"])
