"""Tests that the Redis password is only in its Secret."""

import base64
import json
import re

import pytest

from support.chart import Document, Manifests, label, render


def _password(manifests: Manifests) -> str:
    (secret,) = manifests.all("Secret")
    (encoded,) = secret["data"].values()
    return base64.b64decode(encoded).decode()


def test_password_is_generated_by_default():
    """Each release has a different 32-character password for the embedded Redis."""
    first, second = _password(render()), _password(render())
    assert re.fullmatch(r"[A-Za-z0-9]{32}", first)
    assert first != second


def test_generated_password_is_only_in_its_secret():
    """Neither another resource nor the notes contain the password, in plain or encoded form."""
    manifests = render({"simulator": {"enabled": True}, "autoscaling": {"mode": "keda"}})
    password = _password(manifests)
    for form in (password, base64.b64encode(password.encode()).decode()):
        holders = [label(each) for each in manifests.documents if form in json.dumps(each)]
        assert set(holders) <= {"Secret/financehub-redis"}
        assert form not in manifests.notes


def test_generated_password_is_kept_after_an_uninstall():
    """An uninstall keeps the Secret and the data's PersistentVolumeClaim, because a new install needs both."""
    (secret,) = render().all("Secret")
    assert secret["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_existing_secret_is_used_instead_of_a_generated_one():
    """With `existingSecret`, no Secret is created, and Redis and all clients read the given key."""
    manifests = render({"redis": {"existingSecret": "mine", "passwordKey": "secret"}, "autoscaling": {"mode": "keda"}})
    assert not manifests.all("Secret")
    reference = {"name": "mine", "key": "secret"}
    for component in ("high", "scheduler"):
        assert manifests.environment(component)["REDIS_PASSWORD"] == {"secretKeyRef": reference}
    redis = manifests.one("StatefulSet", "financehub-redis")["spec"]["template"]["spec"]["containers"][0]
    assert [each["valueFrom"]["secretKeyRef"] for each in redis["env"]] == [reference]
    (target,) = manifests.all("TriggerAuthentication")[0]["spec"]["secretTargetRef"]
    assert reference.items() <= target.items()


def test_commands_contain_no_password(manifests: Manifests):
    """Commands and probes contain neither a password nor a variable that the kubelet would replace with one."""
    for name, container in manifests.containers():
        probes = [container.get(f"{each}Probe", {}) for each in ("startup", "liveness", "readiness")]
        commands = json.dumps([container["command"], container.get("args"), probes])
        assert not re.search(r"\$\(\w+\)|redis-cli[^;]* -a|--requirepass|--pass", commands), name


def _secret_variables(container: Document) -> list[Document]:
    names = "PASSWORD|SECRET|TOKEN|KEY|AUTH"
    # A folder or a file with secrets is not secret.
    paths = ("FINANCEHUB_SECRETS_DIR", "FINANCEHUB_WEB_TOKENS_FILE")
    return [each for each in container.get("env") or [] if re.search(names, each["name"]) and each["name"] not in paths]


def test_secret_variables_come_from_secrets(manifests: Manifests):
    """Every variable with a name like PASSWORD or TOKEN takes its value from a Secret."""
    for name, container in manifests.containers():
        for variable in _secret_variables(container):
            assert variable.keys() == {"name", "valueFrom"}, (name, variable)
            assert "secretKeyRef" in variable["valueFrom"], (name, variable)


def test_config_maps_contain_no_secrets(manifests: Manifests):
    """No ConfigMap contains a URL with a password or an API key, except the simulator's fake key."""
    for each in manifests.all("ConfigMap"):
        assert not re.search(r"//[^/@\s]*:[^/@\s]+@", json.dumps(each["data"])), label(each)
        keys = {name: value for name, value in each["data"].items() if re.search("PASSWORD|_KEY$", name)}
        assert keys in ({}, {"FINANCEHUB_FINNHUB_API_KEY": "simulated-key"}), label(each)


@pytest.mark.parametrize(
    ("memory", "maxmemory"), [("512Mi", "307mb"), ("1Gi", "614mb"), ("100Mi", "60mb"), ("16Gi", "9830mb")]
)
def test_redis_uses_sixty_percent_of_its_pods_memory(memory: str, maxmemory: str):
    """Redis leaves 40 % of the pod's memory for rewriting its file, and never evicts keys."""
    manifests = render({"redis": {"memory": memory, "persistence": {"size": "1Ti"}}})
    configuration = manifests.one("ConfigMap", "financehub-redis")["data"]["redis.conf"].splitlines()
    assert f"maxmemory {maxmemory}" in configuration
    assert {"appendonly yes", "maxmemory-policy noeviction"} <= {*configuration}
    (redis,) = manifests.one("StatefulSet", "financehub-redis")["spec"]["template"]["spec"]["containers"]
    assert redis["resources"]["limits"]["memory"] == redis["resources"]["requests"]["memory"] == memory


def test_data_is_on_a_claim_unless_its_loss_is_accepted():
    """By default, the data is on a PersistentVolumeClaim. With `acceptLoss`, it may be in the pod."""
    (claim,) = render().one("StatefulSet", "financehub-redis")["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["resources"]["requests"]["storage"] == "2Gi"
    assert "storageClassName" not in claim["spec"]
    persistence = {"size": "10Gi", "storageClass": "fast"}
    (claim,) = render({"redis": {"persistence": persistence}}).all("StatefulSet")[0]["spec"]["volumeClaimTemplates"]
    assert (claim["spec"]["resources"]["requests"]["storage"], claim["spec"]["storageClassName"]) == ("10Gi", "fast")
    without = render({"redis": {"persistence": {"enabled": False, "acceptLoss": True}}}).all("StatefulSet")[0]["spec"]
    assert "volumeClaimTemplates" not in without
    assert {"name": "data", "emptyDir": {}} in without["template"]["spec"]["volumes"]
