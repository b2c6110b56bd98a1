"""Tests of the console in the chart: what its process gets, what its Service publishes, and how it is replaced."""

import re
from typing import Any

import pytest
from helm_python import values_from_yaml

from financehub_shared.core.settings import Settings, load_settings
from financehub_web.access.hosts import allowed_hosts
from financehub_web.access.users import load_users
from support.chart import CHART, Document, Manifests, label, refusal, render
from support.chart_values import merged

_USERS: dict[str, Any] = {
    "mode": "write",
    "prefix": "/financehub",
    "hosts": ["market.example.com"],
    "origins": ["https://app.example.com", "https://other.example.com"],
    "auth": {
        "existingSecret": "mine",
        "tokensKey": "users.yaml",
        "userHeader": "X-Forwarded-User",
        "trustedProxies": ["10.0.0.0/8", "fd00::/8"],
        "operators": ["alice@example.com", "Bob Smith"],
    },
}


def web_settings(manifests: Manifests) -> Settings:
    """Return the settings of the console's process, with a password in place of each Secret."""
    environment = manifests.environment("web")
    return load_settings({name: value if isinstance(value, str) else "s3cret" for name, value in environment.items()})


def _pod(manifests: Manifests) -> Document:
    spec: Document = manifests.deployment("web")["spec"]["template"]["spec"]
    return spec


def _container(manifests: Manifests) -> Document:
    container: Document
    (container,) = _pod(manifests)["containers"]
    return container


def test_console_is_read_only_by_default():
    """A release has a console in which nobody can change anything, on a Service in the cluster."""
    manifests = render()
    settings = web_settings(manifests)
    assert (settings.web_mode, settings.web_tokens_file, settings.web_user_header) == ("read-only", None, "")
    assert settings.web_host == "::"
    assert manifests.one("Service", "financehub-web")["spec"]["type"] == "ClusterIP"


def test_settings_of_the_values_reach_the_console():
    """Each value of mode, prefix, hosts, origins and users is the setting of the same name."""
    settings = web_settings(render({"web": _USERS}))
    auth = _USERS["auth"]
    assert (settings.web_mode, settings.web_prefix) == ("write", "/financehub")
    assert settings.web_origins == _USERS["origins"]
    assert settings.web_user_header == auth["userHeader"]
    assert settings.web_trusted_proxies == auth["trustedProxies"]
    assert settings.web_operators == auth["operators"]
    assert str(settings.web_tokens_file) == "/etc/financehub/web/users.yaml"


def test_names_of_the_service_are_always_allowed():
    """With `hosts`, the console may also be opened under its Service's names and localhost. Without, under any name."""
    assert allowed_hosts(web_settings(render())) == ()
    allowed = allowed_hosts(web_settings(render({"web": _USERS})))
    assert {
        "market.example.com",
        "localhost",
        "127.0.0.1",
        "financehub-web",
        "financehub-web.market",
        "financehub-web.market.svc",
        "financehub-web.market.svc.cluster.local",
    } <= {*allowed}


def test_example_of_the_page_trusts_the_proxy_only():
    """The page's values for users of a proxy start a console that needs users, which only the proxy may open."""
    page = (CHART.parents[2] / "docs/chart-console.md").read_text(encoding="utf-8")
    values = values_from_yaml(re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[0])
    manifests = render(values)
    settings = web_settings(manifests)
    assert settings.web_mode == "write"
    assert load_users(settings).are_required
    (rule,) = manifests.one("NetworkPolicy", "financehub-web")["spec"]["ingress"]
    assert rule["from"][:-1] == values["networkPolicy"]["ingressFrom"]


@pytest.mark.parametrize("name", ["FINANCEHUB_WEB_HOST", "FINANCEHUB_WEB_PORT"])
def test_address_of_the_console_is_not_a_setting_of_the_values(name: str):
    """The Service and the probes rely on the address and the port, so `settings` cannot contain them."""
    assert f"settings.{name}: the chart sets this variable" in refusal({"settings": {name: "1"}})
    assert name in render().environment("web")


def test_tokens_are_mounted_from_the_secret():
    """The Secret is mounted as a whole folder that contains the tokens file."""
    pod = _pod(render({"web": _USERS}))
    (volume,) = [each["name"] for each in pod["volumes"] if each.get("secret") == {"secretName": "mine"}]
    (mount,) = [each for each in pod["containers"][0]["volumeMounts"] if each["name"] == volume]
    assert (mount["mountPath"], mount["readOnly"]) == ("/etc/financehub/web", True)
    # Kubernetes never updates a subPath mount.
    assert "subPath" not in mount
    assert not any("secret" in each for each in _pod(render())["volumes"])


def test_settings_of_the_console_are_only_in_its_pod():
    """No other process has a setting of the console, so that a change of one does not restart workers."""
    manifests = render({"web": _USERS})
    for component in ("high", "medium", "low", "scheduler"):
        assert not [name for name in manifests.environment(component) if "_WEB_" in name]


def test_console_has_no_keys_of_providers():
    """The console never calls a provider, so it has neither the keys nor the setting that names their folder."""
    manifests = render({"providerKeys": {"existingSecret": "keys"}})
    assert "FINANCEHUB_SECRETS_DIR" not in manifests.environment("web")
    assert not any("secret" in each for each in _pod(manifests)["volumes"])
    assert web_settings(manifests).secrets_dir is None


def test_service_publishes_the_console_only():
    """The Service has one port, which is that of the console and not that of the probes and metrics."""
    manifests = render({"web": {"service": {"type": "LoadBalancer", "port": 8888}}})
    spec = manifests.one("Service", "financehub-web")["spec"]
    (port,) = spec["ports"]
    assert (spec["type"], port["port"], port["targetPort"]) == ("LoadBalancer", 8888, "web")
    ports = {each["name"]: each["containerPort"] for each in _container(manifests)["ports"]}
    settings = web_settings(manifests)
    assert ports == {"http": settings.http_port, "web": settings.web_port}
    assert settings.web_port != settings.http_port


def test_service_has_the_labels_and_annotations_of_the_values():
    """Labels and annotations of the Service are added to those of the chart."""
    service = {"labels": {"team": "quants"}, "annotations": {"example.org/note": "by hand"}}
    metadata = render({"web": {"service": service}}).one("Service", "financehub-web")["metadata"]
    assert metadata["labels"]["team"] == "quants"
    assert metadata["labels"]["app.kubernetes.io/component"] == "web"
    assert metadata["annotations"] == service["annotations"]


def test_service_outside_the_cluster_has_the_values():
    """The port, the class, the networks and the traffic policy of a load balancer are those of the values."""
    service = {
        "type": "LoadBalancer",
        "nodePort": 30080,
        "loadBalancerClass": "service.k8s.aws/nlb",
        "loadBalancerSourceRanges": ["203.0.113.0/24"],
        "externalTrafficPolicy": "Local",
    }
    spec = render({"web": {"service": service}}).one("Service", "financehub-web")["spec"]
    assert spec["ports"] == [{"name": "http", "port": 80, "targetPort": "web", "nodePort": 30080}]
    assert {name: spec[name] for name in service.keys() - {"nodePort"}} == {
        name: value for name, value in service.items() if name != "nodePort"
    }
    plain = render().one("Service", "financehub-web")["spec"]
    assert plain["ports"] == [{"name": "http", "port": 80, "targetPort": "web"}]
    assert not plain.keys() & service.keys() - {"type"}


@pytest.mark.parametrize(("values", "seconds"), [({}, 5), ({"web": {"shutdownDelaySeconds": 40}}, 40)], ids=str)
def test_console_answers_while_proxies_forget_it(values: dict[str, Any], seconds: int):
    """During an update, a new pod is ready first, and an old one answers for the delay before it gets SIGTERM."""
    manifests = render(values)
    assert manifests.deployment("web")["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert _container(manifests)["lifecycle"]["preStop"]["sleep"]["seconds"] == seconds
    # Open requests then get up to 5 s.
    assert _pod(manifests)["terminationGracePeriodSeconds"] >= seconds + 15


def test_account_of_the_console_has_no_rights():
    """The console has its own ServiceAccount, without a token and without a binding."""
    manifests = render()
    assert _pod(manifests)["serviceAccountName"] == "financehub-web"
    assert _pod(manifests)["automountServiceAccountToken"] is False
    for binding in manifests.all("RoleBinding", "ClusterRoleBinding"):
        assert "financehub-web" not in [each["name"] for each in binding["subjects"]]


def test_release_without_a_console_has_none_of_its_resources():
    """A release without a console has no resource for it, and its other resources are the same."""
    values = {"web": {"enabled": False}}
    manifests = render(values)
    assert [label(each) for each in manifests.documents if "web" in each["metadata"]["name"]] == []
    with_console = render({"redis": {"existingSecret": "mine"}}).documents
    without = render(merged(values, {"redis": {"existingSecret": "mine"}})).documents
    assert [each for each in with_console if "web" not in each["metadata"]["name"]] == without


def test_console_scales_by_cpu_if_the_values_say_so():
    """By default, there is one pod. With autoscaling, the autoscaler has the values and decides the number of pods."""
    assert render({"web": {"replicas": 3}}).deployment("web")["spec"]["replicas"] == 3
    scaling = {"enabled": True, "minReplicas": 2, "maxReplicas": 4, "targetCPUPercent": 60}
    manifests = render({"web": {"autoscaling": scaling}})
    assert "replicas" not in manifests.deployment("web")["spec"]
    spec = manifests.one("HorizontalPodAutoscaler", "financehub-web")["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 4)
    assert spec["metrics"][0]["resource"]["target"]["averageUtilization"] == 60
