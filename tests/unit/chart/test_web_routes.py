"""Tests of the Ingress and the HTTPRoute of the console, and of what the notes say about its address."""

from typing import Any

import pytest

from financehub_web.access.gate import WRONG_TOKENS
from support.chart import Document, Manifests, render
from support.chart_values import merged

_HOST = {"host": "market.example.com"}
_INGRESS: dict[str, Any] = {"web": {"ingress": {"enabled": True, "className": "traefik", "hosts": [_HOST]}}}
_ROUTE: dict[str, Any] = {
    "web": {"httpRoute": {"enabled": True, "parentRefs": [{"name": "public"}], "hostnames": ["market.example.com"]}}
}
_PREFIX = {"web": {"prefix": "/financehub"}}


def _spec(values: dict[str, Any], kind: str) -> Document:
    spec: Document = render(values).one(kind, "financehub-web")["spec"]
    return spec


def _published(spec: Document) -> list[tuple[str, str]]:
    return [(each["path"], each["pathType"]) for rule in spec["rules"] for each in rule["http"]["paths"]]


def _service_port(manifests: Manifests) -> Document:
    (port,) = manifests.one("Service", "financehub-web")["spec"]["ports"]
    found: Document = port
    return found


def test_console_is_not_published_by_default():
    """A release has neither an Ingress nor an HTTPRoute unless the values say so."""
    assert render().all("Ingress", "HTTPRoute") == []


@pytest.mark.parametrize(("values", "path"), [({}, "/"), (_PREFIX, "/financehub")], ids=["root", "prefix"])
def test_ingress_publishes_the_prefix_by_default(values: dict[str, Any], path: str):
    """An entry of `hosts` without paths publishes everything below the prefix."""
    spec = _spec(merged(_INGRESS, values), "Ingress")
    assert spec["ingressClassName"] == "traefik"
    assert [rule["host"] for rule in spec["rules"]] == ["market.example.com"]
    assert _published(spec) == [(path, "Prefix")]
    assert "tls" not in spec


def test_ingress_without_a_class_has_the_default_of_the_cluster():
    """Without `className`, the Ingress has no such field, because an empty one is not the default class."""
    assert "ingressClassName" not in _spec(merged(_INGRESS, {"web": {"ingress": {"className": ""}}}), "Ingress")


def test_ingress_has_the_values():
    """Paths, certificates, labels and annotations are those of the values. Without a host, an entry is for any name."""
    ingress = {
        "hosts": [_HOST | {"paths": [{"path": "/"}, {"path": "/api", "pathType": "ImplementationSpecific"}]}, {}],
        "tls": [{"secretName": "market-tls", "hosts": ["market.example.com"]}],
        "labels": {"team": "quants"},
        "annotations": {"example.org/note": "by hand"},
    }
    document = render(merged(_INGRESS, {"web": {"ingress": ingress}})).one("Ingress", "financehub-web")
    assert _published(document["spec"]) == [("/", "Prefix"), ("/api", "ImplementationSpecific"), ("/", "Prefix")]
    assert "host" not in document["spec"]["rules"][1]
    assert document["spec"]["tls"] == ingress["tls"]
    assert document["metadata"]["labels"]["team"] == "quants"
    assert document["metadata"]["annotations"] == ingress["annotations"]


def test_ingress_and_route_lead_to_the_port_of_the_service():
    """Both refer to the Service of the console, an Ingress by the name of the port and a route by its number."""
    manifests = render(merged(_INGRESS, _ROUTE, {"web": {"service": {"port": 8888}}}))
    port = _service_port(manifests)
    (rule,) = manifests.one("Ingress", "financehub-web")["spec"]["rules"]
    assert rule["http"]["paths"][0]["backend"]["service"] == {"name": "financehub-web", "port": {"name": port["name"]}}
    (rule,) = manifests.one("HTTPRoute", "financehub-web")["spec"]["rules"]
    (backend,) = rule["backendRefs"]
    assert {"name": "financehub-web", "port": port["port"]}.items() <= backend.items()


def test_route_contains_the_defaults_of_the_api_server():
    """The reference to the Service is complete, so that Argo CD does not see what the API server adds as a change."""
    (rule,) = _spec(_ROUTE, "HTTPRoute")["rules"]
    (backend,) = rule["backendRefs"]
    assert backend == {"group": "", "kind": "Service", "name": "financehub-web", "port": 80, "weight": 1}


@pytest.mark.parametrize(("values", "path"), [({}, "/"), (_PREFIX, "/financehub")], ids=["root", "prefix"])
def test_route_matches_the_prefix_by_default(values: dict[str, Any], path: str):
    """Without `matches`, every request below the prefix goes to the console."""
    spec = _spec(merged(_ROUTE, values), "HTTPRoute")
    assert (spec["parentRefs"], spec["hostnames"]) == ([{"name": "public"}], ["market.example.com"])
    (rule,) = spec["rules"]
    assert rule.keys() == {"matches", "backendRefs"}
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": path}}]


def test_route_has_the_values():
    """Matches, filters, timeouts and additional rules are those of the values."""
    header = {"headers": [{"name": "X-Team", "value": "quants"}]}
    redirect = {"filters": [{"type": "RequestRedirect", "requestRedirect": {"scheme": "https"}}]}
    values = {
        "matches": [header],
        "filters": [{"type": "ResponseHeaderModifier", "responseHeaderModifier": {"remove": ["Server"]}}],
        "timeouts": {"backendRequest": "30s"},
        "additionalRules": [redirect],
        "labels": {"team": "quants"},
        "annotations": {"example.org/note": "by hand"},
    }
    document = render(merged(_ROUTE, {"web": {"httpRoute": values}})).one("HTTPRoute", "financehub-web")
    rule, additional = document["spec"]["rules"]
    assert (rule["matches"], rule["filters"], rule["timeouts"]) == tuple(
        values[name] for name in ("matches", "filters", "timeouts")
    )
    assert additional == redirect
    assert document["metadata"]["labels"]["team"] == "quants"
    assert document["metadata"]["annotations"] == values["annotations"]


_WHOLE = {"paths": [{"path": "/api"}, {"path": "/"}]}


def _of_api(kind: str) -> dict[str, Any]:
    path = {"path": "/financehub/api"}
    if kind == "Ingress":
        return merged(_INGRESS, {"web": {"ingress": {"hosts": [_HOST | {"paths": [path]}]}}})
    return merged(_ROUTE, {"web": {"httpRoute": {"matches": [{"path": {"value": path["path"]}}]}}})


_CERTIFICATE = {"web": {"ingress": {"tls": [{"secretName": "market-tls", "hosts": ["*.example.com"]}]}}}
_TOKENS = {"web": {"mode": "write", "auth": {"existingSecret": "web-tokens"}}}
_PROXY = {"web": {"auth": {"userHeader": "X-Forwarded-User", "trustedProxies": ["10.0.0.0/8"]}}}


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({}, "  kubectl port-forward -n market svc/financehub-web 8000:80"),
        ({"web": {"service": {"port": 8888}}}, "  kubectl port-forward -n market svc/financehub-web 8000:8888"),
        (_PREFIX, "  and then http://localhost:8000/financehub/ in a browser"),
        (_INGRESS, "  http://market.example.com/"),
        (merged(_INGRESS, _CERTIFICATE, _PREFIX), "  https://market.example.com/financehub/"),
        (merged(_INGRESS, {"web": {"ingress": {"tls": [{"secretName": "all"}]}}}), "  https://market.example.com/"),
        (merged(_INGRESS, {"web": {"ingress": {"hosts": [{}]}}}), "  kubectl get ingress -n market financehub-web"),
        (_ROUTE, "  https://market.example.com/"),
        (
            merged(_ROUTE, {"web": {"httpRoute": {"parentRefs": [{"name": "public", "sectionName": "http"}]}}}),
            "  http://market.example.com/",
        ),
        (merged(_ROUTE, {"web": {"httpRoute": {"hostnames": []}}}), "  kubectl get httproute -n market financehub-web"),
        (
            merged(_PREFIX, _of_api("Ingress")),
            "  http://market.example.com/financehub/api/v1 (API only)",
        ),
        (
            merged(_PREFIX, _of_api("HTTPRoute")),
            "  https://market.example.com/financehub/api/v1 (API only)",
        ),
        (merged(_INGRESS, {"web": {"ingress": {"hosts": [_HOST | _WHOLE]}}}), "  http://market.example.com/"),
        ({"web": {"service": {"type": "LoadBalancer"}}}, "  kubectl get service -n market financehub-web"),
        (_PROXY, "  the address of your proxy, whose target is http://financehub-web.market.svc:80/"),
        (_TOKENS, "To open the console, in which operators can also make changes:"),
    ],
    ids=str,
)
def test_notes_say_how_to_open_the_console(values: dict[str, Any], line: str):
    """The address, or the command that shows it or makes one, is in the notes."""
    assert line in render(values).notes.splitlines()


def test_first_entry_of_the_notes_is_the_console():
    """The first thing that the notes explain is the console, and whether it is read-only. Without one, they do not."""
    _, blank, first, *_ = render().notes.splitlines()
    assert (blank, first) == ("", "To open the console, which is read-only:")
    assert "console" not in render({"web": {"enabled": False}}).notes


def test_commands_of_the_notes_name_the_namespace_unless_it_is_the_default():
    """In the namespace `default`, the command for the console needs no option."""
    assert "  kubectl port-forward svc/financehub-web 8000:80" in render(namespace="default").notes.splitlines()
    values = merged(_INGRESS, {"web": {"ingress": {"hosts": [{}]}}})
    assert "  kubectl get ingress financehub-web" in render(values, namespace="default").notes.splitlines()


def test_notes_say_who_may_open_the_console():
    """Without users, everybody may. With tokens, the notes say where they are and how a browser sends one."""
    assert "Everybody who reaches it can read it." in render().notes
    notes = render(_TOKENS).notes
    assert "any name, and a token whose hash is in the Secret web-tokens" in notes
    assert "Everybody" not in notes + render(_PROXY).notes


_NETWORK = {"networkPolicy": {"ingressFrom": [{"podSelector": {"matchLabels": {"app": "proxy"}}}]}}
_BALANCER = {"web": {"service": {"type": "LoadBalancer"}}}
_LOCAL = {"web": {"service": {"type": "LoadBalancer", "externalTrafficPolicy": "Local"}}}
_ONE_PROXY = {"web": {"auth": {"trustedProxies": ["10.0.0.1"]}}}
_BOTH = "set networkPolicy.enabled=true and networkPolicy.ingressFrom."
_WITHOUT_POLICIES = {"networkPolicy": {"enabled": False}}


@pytest.mark.parametrize(
    ("values", "advice"),
    [
        (_PROXY, ["set networkPolicy.ingressFrom."]),
        (merged(_PROXY, _NETWORK), []),
        (
            merged(_PROXY, _NETWORK, _WITHOUT_POLICIES),
            [_BOTH],
        ),
        (merged(_PROXY, _NETWORK, _BALANCER), ["Set web.service.externalTrafficPolicy=Local"]),
        (merged(_PROXY, _BALANCER), ["set networkPolicy.ingressFrom.", "Set web.service.externalTrafficPolicy=Local"]),
        (merged(_PROXY, _NETWORK, _LOCAL), []),
        (merged(_PROXY, _ONE_PROXY, _BALANCER), []),
        (merged(_TOKENS, _BALANCER), []),
        (merged(_TOKENS, _INGRESS), ["lock out all users. Set it to the addresses of the proxy."]),
        (merged(_TOKENS, _ROUTE), ["lock out all users. Set it to the addresses of the proxy."]),
        (merged(_TOKENS, _INGRESS, _ONE_PROXY), []),
        (_INGRESS, []),
        ({}, []),
    ],
    ids=str,
)
def test_notes_warn_of_what_others_than_the_users_can_do(values: dict[str, Any], advice: list[str]):
    """The notes say if others than the proxy can name a user, or lock out all users, and what prevents it."""
    notes = render(values).notes
    assert notes.count("*** WARNING") == len(advice)
    assert [each for each in advice if each not in notes] == []


def test_notes_have_the_number_of_wrong_tokens_of_the_console():
    """The warning of a lockout has the number after which the console compares no more tokens of a client."""
    assert f"{WRONG_TOKENS} wrong tokens in a minute" in render(merged(_TOKENS, _INGRESS)).notes
