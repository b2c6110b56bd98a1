"""Tests that the examples in docs/chart-console.md work."""

import itertools
import os
import re
import shlex
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from financehub_shared.core.settings import Settings, load_settings
from financehub_web.access.tokens import Role, find_token, read_tokens
from financehub_web.access.users import load_users
from support.chart import CHART, Manifests, render
from support.chart_values import merged

_PAGE = (CHART.parents[2] / "docs/chart-console.md").read_text(encoding="utf-8")
_BLOCKS: list[dict[str, Any]] = [
    yaml.load(block, Loader=yaml.CSafeLoader)
    for block in re.findall(r"^```yaml\n(.*?)^```", _PAGE, re.MULTILINE | re.DOTALL)
]
_COMMANDS: list[str] = re.findall(r"^```\n(.*?)^```", _PAGE, re.MULTILINE | re.DOTALL)
_INGRESS, _ROUTE, _CLOUD, _BALANCER, _SCALING = (block for block in _BLOCKS if "web" in block)
_RESOURCES = {block["kind"]: block for block in _BLOCKS if "web" not in block}
_MIDDLEWARE = _RESOURCES["Middleware"]


def _settings(manifests: Manifests) -> Settings:
    environment = manifests.environment("web")
    return load_settings({name: value if isinstance(value, str) else "s3cret" for name, value in environment.items()})


def test_ingress_of_the_page_asks_its_proxy_for_the_user():
    """The Ingress has a certificate and the middleware, whose header is the one that the console reads."""
    manifests = render(_INGRESS)
    ingress = manifests.one("Ingress", "financehub-web")
    host = ingress["spec"]["rules"][0]["host"]
    assert ingress["spec"]["tls"][0]["hosts"] == [host]
    assert f"https://{host}/" in manifests.notes
    name = f"{_MIDDLEWARE['metadata']['namespace']}-{_MIDDLEWARE['metadata']['name']}@kubernetescrd"
    assert name in ingress["metadata"]["annotations"].values()
    assert _settings(manifests).web_user_header in _MIDDLEWARE["spec"]["forwardAuth"]["authResponseHeaders"]
    assert load_users(_settings(manifests)).are_required


def test_login_of_the_page_returns_to_the_host_of_the_console():
    """The path to which a login returns is published on the console's host, to the Service that the middleware asks."""
    (rule,) = _RESOURCES["Ingress"]["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    assert rule["host"] == _INGRESS["web"]["ingress"]["hosts"][0]["host"]
    assert path["path"] == "/oauth2"
    service = f"{path['backend']['service']['name']}.{_RESOURCES['Ingress']['metadata']['namespace']}.svc"
    assert _MIDDLEWARE["spec"]["forwardAuth"]["address"] == f"http://{service}/"


def test_route_of_the_page_publishes_the_prefix():
    """The route has the path, the Gateway and the host name of the example, and the console has the prefix."""
    manifests = render(_ROUTE)
    spec = manifests.one("HTTPRoute", "financehub-web")["spec"]
    assert spec["rules"][0]["matches"] == [{"path": {"type": "PathPrefix", "value": "/financehub"}}]
    assert _settings(manifests).web_prefix == "/financehub"
    assert "https://tools.example.com/financehub/" in manifests.notes


def test_load_balancers_of_a_cloud_check_the_readiness_of_the_pods():
    """The examples for EKS and GKE have the port and the path of the readiness probe, and the name of the Service."""
    manifests = render(_CLOUD)
    (container,) = manifests.deployment("web")["spec"]["template"]["spec"]["containers"]
    probe = container["readinessProbe"]["httpGet"]
    (port,) = [each["containerPort"] for each in container["ports"] if each["name"] == probe["port"]]
    annotations = manifests.one("Ingress", "financehub-web")["metadata"]["annotations"]
    assert annotations["alb.ingress.kubernetes.io/healthcheck-port"] == str(port)
    assert annotations["alb.ingress.kubernetes.io/healthcheck-path"] == probe["path"]
    policy = _RESOURCES["HealthCheckPolicy"]
    assert manifests.has("Service", policy["spec"]["targetRef"]["name"])
    check = policy["spec"]["default"]["config"]["httpHealthCheck"]
    assert (check["port"], check["requestPath"]) == (port, probe["path"])


def test_load_balancer_of_the_page_admits_one_network_and_keeps_addresses():
    """The load balancer admits only the network of the example, and nodes do not replace the addresses of clients."""
    spec = render(_BALANCER).one("Service", "financehub-web")["spec"]
    assert (spec["type"], spec["externalTrafficPolicy"]) == ("LoadBalancer", "Local")
    assert spec["loadBalancerSourceRanges"] == ["203.0.113.0/24"]


def test_examples_of_the_page_can_be_combined():
    """All values of the page together are valid, and they have the described resources."""
    manifests = render(merged(_INGRESS, _ROUTE, _CLOUD, _BALANCER, _SCALING))
    assert {"Ingress", "HTTPRoute"} <= {each["kind"] for each in manifests.documents}
    assert manifests.one("HorizontalPodAutoscaler", "financehub-web")["spec"]["minReplicas"] == 2


def _stub(folder: Path, name: str, script: str) -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_commands_of_the_page_make_a_token_that_the_console_accepts(tmp_path: Path, shell: str):
    """The commands write a tokens file with the hash of the printed token, and Helm gets valid values."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("kubectl", "helm"):
        _stub(programs, name, f"echo {name} \"$@\" >> '{tmp_path}/calls'")
    _stub(programs, "openssl", f"test \"$*\" = 'rand -hex 32' && echo {'0a' * 32}")
    (commands,) = (block for block in _COMMANDS if "token=" in block)
    environment = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}"}
    command = [shell, "-e", "-c", commands]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    found = find_token(read_tokens(tmp_path / "tokens.yaml"), done.stdout.strip())
    assert found is not None
    assert (found.name, found.role) == ("alice", Role.OPERATOR)
    kubectl, helm = (shlex.split(line) for line in (tmp_path / "calls").read_text(encoding="utf-8").splitlines())
    assert kubectl[-1] == "--from-file=tokens.yaml"
    values: dict[str, Any] = {}
    for assignment in (following for word, following in itertools.pairwise(helm) if word == "--set"):
        path, _, value = assignment.partition("=")
        nested: Any = value
        for step in reversed(path.split(".")):
            nested = {step: nested}
        values = merged(values, nested)
    assert values["web"]["auth"]["existingSecret"] in kubectl
    assert _settings(render(values)).web_mode == "write"


def test_command_after_a_change_of_the_users_restarts_only_the_console():
    """The page restarts the Deployment whose pods have read the tokens, and no other process."""
    (commands,) = (block for block in _COMMANDS if "rollout restart" in block)
    *_, kind, name = shlex.split(commands)
    assert kind == "deployment"
    manifests = render({"web": {"auth": {"existingSecret": "console-users"}}})
    mounting = [each for each in manifests.all("Deployment") if "console-users" in str(each)]
    assert [each["metadata"]["name"] for each in mounting] == [name]
