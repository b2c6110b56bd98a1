"""Tests of the proxy and the certificate authorities of tiers, and of the policies for outgoing connections."""

from typing import Any

import pytest

from support.chart import NAMESPACE, Document, Manifests, render

_TIERS = ("high", "medium", "low")
_OTHERS = ("scheduler", "web")
_CLOSED: dict[str, Any] = {"networkPolicy": {"egress": {"enabled": True}}}
_PROXY: dict[str, Any] = {"egress": {"proxy": "http://proxy.example.com:3128"}}
_SECRET: dict[str, Any] = {"egress": {"existingSecret": "corp", "proxyKey": "url"}}
_VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "FINANCEHUB_CA_FILE")
#: Destinations of connections: namespace and labels of a pod, or None for an address outside of the cluster.
_DNS = ("kube-system", {"k8s-app": "kube-dns"})
_OUTSIDE = None


def _pod(component: str) -> tuple[str, dict[str, str]]:
    """Return the destination that is a pod of the release."""
    labels = {"name": "financehub", "instance": "financehub", "component": component}
    return NAMESPACE, {f"app.kubernetes.io/{name}": value for name, value in labels.items()}


def test_tiers_get_the_proxy_and_no_other_process_does():
    """The variables of the proxy and of the authorities are only in the pods that call providers."""
    manifests = render({"egress": _PROXY["egress"] | {"caSecret": "corp-ca", "noProxy": ["10.0.0.0/8"]}})
    for tier in _TIERS:
        environment = manifests.environment(tier)
        assert environment["HTTPS_PROXY"] == environment["HTTP_PROXY"] == "http://proxy.example.com:3128"
        assert environment["NO_PROXY"].endswith(",10.0.0.0/8")
        assert {"localhost", ".svc", "financehub-simulator"} <= {*environment["NO_PROXY"].split(",")}
        assert environment["FINANCEHUB_CA_FILE"] == "/etc/financehub/egress/ca.crt"
    for component in _OTHERS:
        assert manifests.environment(component).keys().isdisjoint(_VARIABLES)
        assert "egress-ca" not in str(manifests.deployment(component))


def test_tiers_mount_the_secret_of_the_authorities():
    """The file that FINANCEHUB_CA_FILE names is a key of the Secret, mounted read-only."""
    spec = render({"egress": {"caSecret": "corp-ca", "caKey": "bundle.pem"}}).deployment("high")["spec"]["template"][
        "spec"
    ]
    (container,) = spec["containers"]
    (file,) = [each["value"] for each in container["env"] if each["name"] == "FINANCEHUB_CA_FILE"]
    (mount,) = [each for each in container["volumeMounts"] if each["name"] == "egress-ca"]
    assert file == f"{mount['mountPath']}/bundle.pem"
    assert mount["readOnly"]
    assert {"name": "egress-ca", "secret": {"secretName": "corp-ca"}} in spec["volumes"]


def test_proxy_with_a_password_comes_from_its_secret():
    """Both variables refer to the Secret, so that the password is not in the Deployment."""
    environment = render(_SECRET).environment("medium")
    reference = {"secretKeyRef": {"name": "corp", "key": "url"}}
    assert environment["HTTPS_PROXY"] == environment["HTTP_PROXY"] == reference


def test_variable_of_a_tier_replaces_the_proxy_of_egress():
    """A tier may have another proxy. Its variable replaces the chart's own, and no name occurs twice."""
    manifests = render(_PROXY | {"tiers": {"high": {"extraEnv": [{"name": "HTTPS_PROXY", "value": "http://b:1"}]}}})
    (container,) = manifests.deployment("high")["spec"]["template"]["spec"]["containers"]
    assert [each["value"] for each in container["env"] if each["name"] == "HTTPS_PROXY"] == ["http://b:1"]
    assert manifests.environment("medium")["HTTPS_PROXY"] == "http://proxy.example.com:3128"


def test_default_rendering_has_no_trace_of_egress():
    """Without values of egress, no variable, volume or policy is added, and all outgoing connections are allowed."""
    manifests = render()
    for component in (*_TIERS, *_OTHERS):
        assert manifests.environment(component).keys().isdisjoint(_VARIABLES)
    assert not [each for each in manifests.all("NetworkPolicy") if "egress" in each["metadata"]["name"]]


def _selects(selector: Document, labels: dict[str, str]) -> bool:
    """Whether a label selector matches these labels."""
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()) and all(
        (labels.get(rule["key"]) in rule["values"]) is (rule["operator"] == "In")
        for rule in selector.get("matchExpressions", [])
    )


def _admits(peer: Document, destination: tuple[str, dict[str, str]] | None) -> bool:
    """Whether a destination of a policy matches. An address outside of the cluster matches only an ipBlock."""
    if destination is None or "ipBlock" in peer:
        return destination is None and "ipBlock" in peer
    namespace, labels = destination
    where = peer.get("namespaceSelector", {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}})
    return _selects(where, {"kubernetes.io/metadata.name": namespace}) and _selects(peer.get("podSelector", {}), labels)


def may_connect(
    manifests: Manifests,
    component: str,
    destination: tuple[str, dict[str, str]] | None,
    port: int,
    protocol: str = "TCP",
) -> bool:
    """Whether the policies let the pods of a component connect to a destination."""
    policies = [
        each["spec"]
        for each in manifests.all("NetworkPolicy")
        if "Egress" in each["spec"]["policyTypes"] and _selects(each["spec"]["podSelector"], _pod(component)[1])
    ]
    rules = [rule for each in policies for rule in each.get("egress", [])]
    wanted = {"port": port, "protocol": protocol}
    return not policies or any(
        wanted in rule["ports"] and ("to" not in rule or any(_admits(peer, destination) for peer in rule["to"]))
        for rule in rules
    )


#: Component → whether it may connect to Redis, the API server, and providers.
_RIGHTS = {
    **dict.fromkeys(_TIERS, (True, False, True)),
    "scheduler": (True, True, False),
    "web": (True, False, False),
    "crd": (False, True, False),
    "password": (False, True, False),
    "test": (True, False, False),
    "redis": (False, False, False),
}


@pytest.mark.parametrize("component", _RIGHTS)
def test_component_may_open_only_the_connections_that_it_needs(component: str):
    """Tiers reach providers, only the scheduler and hooks reach the API server, and the console reaches Redis only."""
    manifests = render(_CLOSED)
    redis, api_server, providers = _RIGHTS[component]
    assert may_connect(manifests, component, _pod("redis"), 6379) is redis
    assert may_connect(manifests, component, _OUTSIDE, 6443) is api_server
    # Port 443 is also that of the API server, so who may use it can be limited by destination only.
    assert may_connect(manifests, component, _OUTSIDE, 443) is (providers or api_server)
    for protocol in ("UDP", "TCP"):
        assert may_connect(manifests, component, _DNS, 53, protocol) is (component != "redis")
    assert not may_connect(manifests, component, ("elsewhere", {}), 6379)
    assert not may_connect(manifests, component, _OUTSIDE, 22)
    assert not may_connect(manifests, component, _OUTSIDE, 80)


def test_every_pod_of_the_release_is_covered():
    """A new kind of pod needs its own policy, because this one has no rule for it."""
    values = _CLOSED | {"simulator": {"enabled": True}}
    manifests = render(values)
    for name, pod in manifests.pods().items():
        labels = pod["metadata"]["labels"]
        policies = [
            each
            for each in manifests.all("NetworkPolicy")
            if "Egress" in each["spec"]["policyTypes"] and _selects(each["spec"]["podSelector"], labels)
        ]
        assert len(policies) == 1, name


def test_scheduler_with_destinations_of_the_api_server_reaches_only_these():
    """`apiServerTo` keeps the scheduler and the hooks from all other addresses with the port 443."""
    manifests = render(
        {"networkPolicy": {"egress": {"enabled": True, "apiServerTo": [{"ipBlock": {"cidr": "10.0.0.1/32"}}]}}}
    )
    for component in ("scheduler", "crd", "password"):
        assert may_connect(manifests, component, _OUTSIDE, 6443)
        assert not may_connect(manifests, component, ("elsewhere", {}), 443)
    assert may_connect(manifests, "high", ("elsewhere", {}), 443)


@pytest.mark.parametrize(
    ("values", "allowed", "refused"),
    [
        ({}, {443}, {3128, 80}),
        (_PROXY, {3128}, {443, 80}),
        ({"egress": {"proxy": "http://proxy.example.com"}}, {80}, {443, 3128}),
        ({"egress": {"proxy": "https://proxy.example.com/"}}, {443}, {80, 3128}),
        ({"egress": {"proxy": "http://[fd00::1]:8888"}}, {8888}, {443, 80}),
        ({"egress": _PROXY["egress"] | {"noProxy": ["feeds.example.com"]}}, {3128, 443}, {80}),
    ],
    ids=str,
)
def test_tier_with_a_proxy_reaches_only_the_proxy(values: dict[str, Any], allowed: set[int], refused: set[int]):
    """With a proxy, the ports of providers are open only if there are hosts that are called without it."""
    manifests = render(_CLOSED | values)
    for tier in _TIERS:
        assert all(may_connect(manifests, tier, _OUTSIDE, port) for port in allowed)
        assert not any(may_connect(manifests, tier, _OUTSIDE, port) for port in refused)


def test_tier_with_destinations_reaches_only_these():
    """`to` limits the calls of providers to these destinations, such as the pods of a proxy in the cluster."""
    squid = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "squid"}}}
    values = _SECRET | {"networkPolicy": {"egress": {"enabled": True, "to": [squid], "proxyPorts": [3128]}}}
    manifests = render(values)
    assert may_connect(manifests, "high", ("squid", {}), 3128)
    assert not may_connect(manifests, "high", _OUTSIDE, 3128)
    assert not may_connect(manifests, "high", ("squid", {}), 443)


def test_tier_with_the_simulator_reaches_only_the_simulator():
    """With the simulator, tiers need no connection to the outside."""
    manifests = render(_CLOSED | {"simulator": {"enabled": True}} | _PROXY)
    assert may_connect(manifests, "high", _pod("simulator"), 8099)
    assert not any(may_connect(manifests, "high", _OUTSIDE, port) for port in (443, 3128, 8099))


@pytest.mark.parametrize(
    ("external", "policy", "ports"),
    [
        ({"url": "redis://cache.example.com:6390/0"}, {}, {6390}),
        ({"url": "rediss://cache.example.com"}, {}, {6379}),
        ({"host": "cache.example.com", "port": 6380}, {}, {6380}),
        ({"url": "redis+sentinel://a.example.com,b.example.com:26380/m"}, {"redisPorts": [6379, 26379]}, {6379, 26379}),
        ({"existingSecret": "redis", "urlKey": "url"}, {"redisPorts": [7000]}, {7000}),
    ],
    ids=str,
)
def test_external_redis_is_reached_at_its_ports(external: dict[str, Any], policy: dict[str, Any], ports: set[int]):
    """The port of an external Redis is that of its address, or it is named in the values."""
    values = {
        "redis": {"enabled": False},
        "externalRedis": external,
        "autoscaling": {"mode": "hpa"},
        "networkPolicy": {"egress": {"enabled": True, **policy}},
    }
    manifests = render(values)
    for component in (*_TIERS, *_OTHERS):
        for port in (6379, 6380, 6390, 7000, 26379):
            assert may_connect(manifests, component, _OUTSIDE, port) is (port in ports)


def test_values_of_an_older_chart_have_no_egress():
    """With `helm upgrade --reuse-values` from the chart 0.1.0, these keys are missing, and their defaults count."""
    assert render({"egress": None, "networkPolicy": {"egress": None}}).all("NetworkPolicy")
