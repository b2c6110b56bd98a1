"""Where the password is, and where nothing secret is."""

import base64
import json
import re

import pytest

from support.chart import Document, Manifests, label, render


def _password(manifests: Manifests) -> str:
    (secret,) = manifests.all("Secret")
    (encoded,) = secret["data"].values()
    return base64.b64decode(encoded).decode()


def test_a_password_is_made():
    """Without a word the embedded Redis has a password of its own, long, and another in each release."""
    first, second = _password(render()), _password(render())
    assert re.fullmatch(r"[A-Za-z0-9]{32}", first)
    assert first != second


def test_the_password_is_in_its_secret_alone():
    """No other resource holds the password, neither as it is nor encoded; not even the notes."""
    manifests = render({"simulator": {"enabled": True}, "autoscaling": {"mode": "keda"}})
    password = _password(manifests)
    for form in (password, base64.b64encode(password.encode()).decode()):
        holders = [label(each) for each in manifests.documents if form in json.dumps(each)]
        assert set(holders) <= {"Secret/financehub-redis"}
        assert form not in manifests.notes


def test_the_password_survives_the_release():
    """The Secret is kept at an uninstall, as the claim of the data is: a reinstall finds both or neither."""
    (secret,) = render().all("Secret")
    assert secret["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_a_password_of_ones_own_is_used():
    """With `existingSecret` no Secret is made, and Redis and all its clients read the given key."""
    manifests = render({"redis": {"existingSecret": "mine", "passwordKey": "secret"}, "autoscaling": {"mode": "keda"}})
    assert not manifests.all("Secret")
    wanted = {"name": "mine", "key": "secret"}
    for component in ("high", "scheduler"):
        assert manifests.environment(component)["REDIS_PASSWORD"] == {"secretKeyRef": wanted}
    redis = manifests.one("StatefulSet", "financehub-redis")["spec"]["template"]["spec"]["containers"][0]
    assert [each["valueFrom"]["secretKeyRef"] for each in redis["env"]] == [wanted]
    (target,) = manifests.all("TriggerAuthentication")[0]["spec"]["secretTargetRef"]
    assert wanted.items() <= target.items()


def test_the_process_list_shows_no_password(manifests: Manifests):
    """Neither commands nor probes hold a password, or have one written into them by the kubelet."""
    for name, container in manifests.containers():
        probes = [container.get(f"{each}Probe", {}) for each in ("startup", "liveness", "readiness")]
        said = json.dumps([container["command"], container.get("args"), probes])
        assert not re.search(r"\$\(\w+\)|redis-cli[^;]* -a|--requirepass|--pass", said), name


def _secret_variables(container: Document) -> list[Document]:
    return [each for each in container.get("env") or [] if re.search("PASSWORD|SECRET|TOKEN|KEY|AUTH", each["name"])]


def test_secrets_are_referred_to(manifests: Manifests):
    """What a variable's name calls a secret comes from a Secret."""
    for name, container in manifests.containers():
        for variable in _secret_variables(container):
            assert variable.keys() == {"name", "valueFrom"}, (name, variable)
            assert "secretKeyRef" in variable["valueFrom"], (name, variable)


def test_config_maps_hold_no_secret(manifests: Manifests):
    """No ConfigMap has a password in a URL or a key of a provider, but the simulator's, which is none."""
    for each in manifests.all("ConfigMap"):
        assert not re.search(r"//[^/@\s]*:[^/@\s]+@", json.dumps(each["data"])), label(each)
        keys = {name: value for name, value in each["data"].items() if re.search("PASSWORD|_KEY$", name)}
        assert keys in ({}, {"FINANCEHUB_FINNHUB_API_KEY": "simulated-key"}), label(each)


@pytest.mark.parametrize(
    ("memory", "maxmemory"), [("512Mi", "307mb"), ("1Gi", "614mb"), ("100Mi", "60mb"), ("16Gi", "9830mb")]
)
def test_redis_fits_into_its_pod(memory: str, maxmemory: str):
    """Redis has 60 % of its pod's memory, so that the copy for a rewrite has room; it refuses rather than forgets."""
    manifests = render({"redis": {"memory": memory, "persistence": {"size": "1Ti"}}})
    configuration = manifests.one("ConfigMap", "financehub-redis")["data"]["redis.conf"].splitlines()
    assert f"maxmemory {maxmemory}" in configuration
    assert {"appendonly yes", "maxmemory-policy noeviction"} <= {*configuration}
    (redis,) = manifests.one("StatefulSet", "financehub-redis")["spec"]["template"]["spec"]["containers"]
    assert redis["resources"]["limits"]["memory"] == redis["resources"]["requests"]["memory"] == memory


def test_data_has_a_disk_or_is_said_to_have_none():
    """By default the data is in a claim; where the loss is accepted, in the pod."""
    (claim,) = render().one("StatefulSet", "financehub-redis")["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["resources"]["requests"]["storage"] == "2Gi"
    assert "storageClassName" not in claim["spec"]
    persistence = {"size": "10Gi", "storageClass": "fast"}
    (claim,) = render({"redis": {"persistence": persistence}}).all("StatefulSet")[0]["spec"]["volumeClaimTemplates"]
    assert (claim["spec"]["resources"]["requests"]["storage"], claim["spec"]["storageClassName"]) == ("10Gi", "fast")
    without = render({"redis": {"persistence": {"enabled": False, "acceptLoss": True}}}).all("StatefulSet")[0]["spec"]
    assert "volumeClaimTemplates" not in without
    assert {"name": "data", "emptyDir": {}} in without["template"]["spec"]["volumes"]
