"""Tests that the Redis password is only in its Secret."""

import json
import re
from typing import Any

import pytest

from support.chart import Document, Manifests, label, render


def test_no_combination_renders_a_secret(manifests: Manifests):
    """The chart renders no Secret and nothing random, so a second rendering cannot change a password."""
    assert manifests.all("Secret") == []


def test_password_is_created_by_a_job_before_the_pods():
    """By default, a Job creates the Secret with the key that Redis and its clients read. Its pod knows no password."""
    manifests = render({"redis": {"passwordKey": "secret"}})
    job = manifests.one("Job", "financehub-password")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["command"][:5] == [
        *("python", "-m", "financehub_scheduler.create_password"),
        *("financehub-redis", "secret"),
    ]
    assert "env" not in container
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    reference = {"name": "financehub-redis", "key": "secret"}
    assert manifests.environment("high")["REDIS_PASSWORD"] == {"secretKeyRef": reference}


def _expanded(argument: str) -> str:
    """Return what Kubernetes passes to a program: `$$` is `$`, and only a single `$(NAME)` is a variable."""
    return re.sub(r"\$\$|\$\([^)]*\)", lambda found: "$" if found[0] == "$$" else "a variable", argument)


def test_job_gets_common_labels_and_annotations_as_the_user_wrote_them():
    """Kubernetes would replace `$(NAME)` in a command, and an empty value would be the text of a null."""
    annotations = {"a": None, "b": "$(HOME)", "c": "$$(X) 5$", "d": "x=y", "e": "10%"}
    manifests = render({"commonAnnotations": annotations, "commonLabels": {"empty": None, "year": "2024"}})
    (container,) = manifests.one("Job", "financehub-password")["spec"]["template"]["spec"]["containers"]
    given = [_expanded(each) for each in container["command"] if each.startswith("--")]
    assert [each for each in given if each.startswith("--annotation=")] == [
        f"--annotation={name}={value}" for name, value in annotations.items() if value is not None
    ]
    assert "--label=year=2024" in given
    assert "nil" not in str(given)


@pytest.mark.parametrize(
    "values",
    [
        {"redis": {"existingSecret": "mine"}},
        {"redis": {"enabled": False}, "externalRedis": {"url": "redis://cache.example:6380/2"}},
    ],
    ids=["own Secret", "external Redis"],
)
def test_no_password_is_created_if_the_user_has_one(values: dict[str, Any]):
    """With an existing Secret or an external Redis, the release has neither the Job nor its rights."""
    named = [each for each in render(values).documents if each["metadata"]["name"] == "financehub-password"]
    assert named == []


def test_existing_secret_is_used_instead_of_a_generated_one():
    """With `existingSecret`, no Secret is created, and Redis and all clients read the given key."""
    manifests = render({"redis": {"existingSecret": "mine", "passwordKey": "secret"}, "autoscaling": {"mode": "keda"}})
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
