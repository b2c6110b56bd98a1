"""Every pod passes the `restricted` Pod Security Standard, and has nothing of Kubernetes that it does not need."""

import re

from support.chart import Document, Manifests

#: Volumes that `restricted` allows.
_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}


def test_pods_are_restricted(manifests: Manifests):
    """No pod asks for root, the host's namespaces, capabilities or volumes of the host."""
    for name, pod in manifests.pods().items():
        spec = pod["spec"]
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys(), name
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["runAsUser"] > 0, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for volume in spec["volumes"]:
            assert volume.keys() - {"name"} <= _VOLUMES, (name, volume)


def test_containers_are_restricted(manifests: Manifests):
    """No container gains rights or writes to its root file system; ports of the host are not taken."""
    for name, container in manifests.containers():
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False, name
        assert context["capabilities"] == {"drop": ["ALL"]}, name
        assert context["readOnlyRootFilesystem"] is True, name
        assert not context.keys() & {"privileged", "procMount", "runAsUser", "seccompProfile"}, name
        assert all("hostPort" not in port for port in container.get("ports", [])), name


def test_only_who_asks_the_api_server_has_a_token(manifests: Manifests):
    """The scheduler and the hooks of the definition have a token; workers, Redis and the simulator have none."""
    with_token = {name for name, pod in manifests.pods().items() if pod["spec"]["automountServiceAccountToken"]}
    assert {re.sub(r"/.*-(scheduler|crd-\w+)$", r"/\1", name) for name in with_token} <= {
        "Deployment/scheduler",
        "Job/crd-apply",
        "Job/crd-delete",
    }
    assert any(name.startswith("Deployment/") for name in with_token)
    assert all(account["automountServiceAccountToken"] is False for account in manifests.all("ServiceAccount"))


def test_services_are_not_told_by_the_environment(manifests: Manifests):
    """No pod gets REDIS_PORT=tcp://… or an unknown FINANCEHUB_… variable because of a Service's name."""
    assert [name for name, pod in manifests.pods().items() if pod["spec"]["enableServiceLinks"] is not False] == []


def test_every_container_says_what_it_takes(manifests: Manifests):
    """Requests of processor and memory, so that each is placed well; a limit of memory, so that none takes a node."""
    for name, container in manifests.containers():
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}, name
        assert "memory" in container["resources"]["limits"], name


def test_images_are_pinned(manifests: Manifests):
    """No image without a tag or digest, and none `:latest`."""
    for name, container in manifests.containers():
        _, _, last = container["image"].rpartition("/")
        assert re.search(r"@sha256:[0-9a-f]{64}$|:[\w.-]+$", last), (name, container["image"])
        assert not container["image"].endswith(":latest"), name
        assert container["imagePullPolicy"] == "IfNotPresent", name


def _writes(container: Document) -> set[str]:
    return {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}


def test_a_place_to_write_is_there(manifests: Manifests):
    """With the root file system read-only, our processes have /tmp, and Redis has its data."""
    for name, container in manifests.containers():
        assert ("/data" if container["name"] == "redis" else "/tmp") in _writes(container), name  # noqa: S108 — in the pod
