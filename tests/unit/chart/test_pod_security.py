"""Tests that every pod meets the restricted Pod Security Standard and has only the rights that it needs."""

import re

from support.chart import Document, Manifests

#: The volume types that the restricted standard allows.
_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}


def test_pods_are_restricted(manifests: Manifests):
    """No pod requires root, host namespaces, capabilities or host volumes."""
    for name, pod in manifests.pods().items():
        spec = pod["spec"]
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys(), name
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["runAsUser"] > 0, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for volume in spec["volumes"]:
            assert volume.keys() - {"name"} <= _VOLUMES, (name, volume)


def test_containers_are_restricted(manifests: Manifests):
    """No container gains privileges, writes to its root file system or uses host ports."""
    for name, container in manifests.containers():
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False, name
        assert context["capabilities"] == {"drop": ["ALL"]}, name
        assert context["readOnlyRootFilesystem"] is True, name
        assert not context.keys() & {"privileged", "procMount", "runAsUser", "seccompProfile"}, name
        assert all("hostPort" not in port for port in container.get("ports", [])), name


def test_only_clients_of_the_api_server_have_a_token(manifests: Manifests):
    """The scheduler and the hooks have a token. Workers, Redis and the simulator have none."""
    with_token = {name for name, pod in manifests.pods().items() if pod["spec"]["automountServiceAccountToken"]}
    assert {re.sub(r"/.*-(scheduler|crd-\w+|password)$", r"/\1", name) for name in with_token} <= {
        "Deployment/scheduler",
        "Job/crd-apply",
        "Job/crd-delete",
        "Job/password",
    }
    assert any(name.startswith("Deployment/") for name in with_token)
    assert all(account["automountServiceAccountToken"] is False for account in manifests.all("ServiceAccount"))


def test_service_links_are_disabled(manifests: Manifests):
    """No Service name sets a variable such as REDIS_PORT=tcp://… or an unknown FINANCEHUB_…."""
    assert [name for name, pod in manifests.pods().items() if pod["spec"]["enableServiceLinks"] is not False] == []


def test_containers_have_requests_and_a_memory_limit(manifests: Manifests):
    """Every container requests CPU and memory for its scheduling, and limits its memory to protect the node."""
    for name, container in manifests.containers():
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}, name
        assert "memory" in container["resources"]["limits"], name


def test_images_are_pinned(manifests: Manifests):
    """Every image has a tag other than `latest`, or a digest."""
    for name, container in manifests.containers():
        _, _, last = container["image"].rpartition("/")
        assert re.search(r"@sha256:[0-9a-f]{64}$|:[\w.-]+$", last), (name, container["image"])
        assert not container["image"].endswith(":latest"), name
        assert container["imagePullPolicy"] == "IfNotPresent", name


def _writable_paths(container: Document) -> set[str]:
    return {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}


def test_containers_have_a_writable_folder(manifests: Manifests):
    """Although the root file system is read-only, FinanceHub's processes can write to /tmp and Redis to /data."""
    for name, container in manifests.containers():
        assert ("/data" if container["name"] == "redis" else "/tmp") in _writable_paths(container), name  # noqa: S108 — in the pod
