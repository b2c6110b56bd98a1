"""Roles, given to a service account."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

_API = "rbac.authorization.k8s.io"
_LIMIT_SECONDS = 10


class Request(Protocol):
    """Asks the API server as somebody who may grant; the answer's JSON."""

    def __call__(self, method: str, path: str, body: Any = None) -> Any: ...


def grant(
    request: Request, namespace: str, account: str, rules: Sequence[Mapping[str, Any]], *, everywhere: bool = False
) -> None:
    """Create a role and its binding, and wait until the authorizer knows them.

    Args:
        request: asks the API server.
        namespace: of the service account.
        account: its name.
        rules: of RBAC.
        everywhere: a ClusterRole, not one of the namespace.
    """
    kind, scope, name = "Role", f"/namespaces/{namespace}", account
    if everywhere:
        # shared by all tests of a run
        kind, scope, name = "ClusterRole", "", f"{namespace}-{account}"
    path = f"/apis/{_API}/v1{scope}/{kind.lower()}"
    request("POST", f"{path}s", {"metadata": {"name": name}, "rules": list(rules)})
    binding = {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": _API, "kind": kind, "name": name},
        "subjects": [{"kind": "ServiceAccount", "namespace": namespace, "name": account}],
    }
    request("POST", f"{path}bindings", binding)
    in_force(request, namespace, account, rules[-1])


def change(request: Request, namespace: str, account: str, rules: Sequence[Mapping[str, Any]]) -> None:
    """Give a Role of `grant` other rules, and wait until the authorizer knows what is new and what is gone.

    Args:
        request: asks the API server.
        namespace: of the service account.
        account: its name, and the role's.
        rules: of RBAC, instead of those it has.
    """
    path = f"/apis/{_API}/v1/namespaces/{namespace}/roles/{account}"
    role = request("GET", path)
    request("PUT", path, role | {"rules": list(rules)})
    for rule in rules:
        in_force(request, namespace, account, rule)
    for rule in role["rules"]:
        if rule not in rules:
            in_force(request, namespace, account, rule, allowed=False)


def in_force(request: Request, namespace: str, account: str, rule: Mapping[str, Any], *, allowed: bool = True) -> None:
    """Wait until the authorizer grants a rule, or no longer does."""
    limit = time.monotonic() + _LIMIT_SECONDS
    while _allows(request, namespace, account, rule) != allowed:
        assert time.monotonic() < limit, f"{rule} does not come into force for {account}"
        time.sleep(0.01)


def _allows(request: Request, namespace: str, account: str, rule: Mapping[str, Any]) -> bool:
    """Whether the account may do the first thing that the rule names."""
    asked: dict[str, Any] = {"user": f"system:serviceaccount:{namespace}:{account}"}
    if "nonResourceURLs" in rule:
        asked["nonResourceAttributes"] = {"path": rule["nonResourceURLs"][0], "verb": rule["verbs"][0]}
    else:
        resource, _, subresource = rule["resources"][0].partition("/")
        asked["resourceAttributes"] = {
            "namespace": namespace,
            "group": rule["apiGroups"][0],
            "resource": resource,
            "subresource": subresource,
            "name": rule.get("resourceNames", [""])[0],
            "verb": rule["verbs"][0],
        }
    review = request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {"spec": asked})
    return bool(review["status"]["allowed"])
