"""Tests that references between resources are valid: names, selectors, ports and mounts."""

from collections.abc import Iterator

from support.chart import NAMESPACE, Document, Manifests, label

#: Resources that the values name and the user creates.
_CREATED_BY_THE_USER = {"mine", "keys", "authority", "authorities", "proxy", "watchers"}


def _matches(selector: Document, labels: dict[str, str]) -> bool:
    named = all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
    return named and all(
        {"In": labels.get(rule["key"]) in rule["values"], "NotIn": labels.get(rule["key"]) not in rule["values"]}[
            rule["operator"]
        ]
        for rule in selector.get("matchExpressions", [])
    )


def _selected(manifests: Manifests, selector: Document) -> set[str]:
    return {name for name, pod in manifests.pods().items() if _matches(selector, pod["metadata"]["labels"])}


def test_resources_are_unique(manifests: Manifests):
    """No two resources have the same kind and name, because one would silently replace the other."""
    names = [(each["apiVersion"], label(each), each["metadata"].get("namespace")) for each in manifests.documents]
    assert sorted(set(names)) == sorted(names)


def _referenced(value: object) -> Iterator[tuple[str, str]]:
    """Yield the kind and name of every ConfigMap and Secret that a pod reads, or that KEDA reads for it."""
    if isinstance(value, list):
        for each in value:
            yield from _referenced(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            match key, each:
                case (("configMapRef" | "configMapKeyRef" | "configMap"), {"name": name}):
                    yield "ConfigMap", name
                case (("secretRef" | "secretKeyRef"), {"name": name}):
                    yield "Secret", name
                case "secret", {"secretName": name}:
                    yield "Secret", name
                case "secretTargetRef", list(targets):
                    yield from (("Secret", target["name"]) for target in targets)
                case _:
                    yield from _referenced(each)


def _created_by_a_job(manifests: Manifests) -> dict[str, set[str]]:
    """Return the names of the Secrets that a hook's Job creates, with their keys."""
    commands = [container["command"] for _, container in manifests.containers()]
    return {each[3]: {each[4]} for each in commands if "financehub_scheduler.create_password" in each}


def test_referenced_config_maps_and_secrets_exist(manifests: Manifests):
    """Every ConfigMap or Secret that a pod reads is part of the release, made by its Job, or named in the values."""
    read = {found for each in manifests.documents if each["kind"] != "ConfigMap" for found in _referenced(each)}
    assert read
    brought = {(each["kind"], each["metadata"]["name"]) for each in manifests.all("ConfigMap", "Secret")}
    brought |= {("Secret", name) for name in _created_by_a_job(manifests)}
    assert {found for found in read - brought if found[1] not in _CREATED_BY_THE_USER} == set()


def test_referenced_keys_of_secrets_exist(manifests: Manifests):
    """The Secret of the release contains the key from which each process reads the password."""
    written = _created_by_a_job(manifests)
    for name, container in manifests.containers():
        for variable in container.get("env") or []:
            reference = variable.get("valueFrom", {}).get("secretKeyRef", {})
            if reference.get("name") in written:
                assert reference["key"] in written[reference["name"]], (name, variable["name"])


def test_referenced_accounts_and_roles_exist(manifests: Manifests):
    """Pods use the release's ServiceAccounts, and bindings refer to its roles and ServiceAccounts."""
    accounts = {each["metadata"]["name"] for each in manifests.all("ServiceAccount")}
    assert {pod["spec"]["serviceAccountName"] for pod in manifests.pods().values()} <= accounts
    for binding in manifests.all("RoleBinding", "ClusterRoleBinding"):
        assert manifests.has(binding["roleRef"]["kind"], binding["roleRef"]["name"]), label(binding)
        assert all(each["name"] in accounts and each["namespace"] == NAMESPACE for each in binding["subjects"])


def test_workloads_select_only_their_own_pods(manifests: Manifests):
    """A Deployment or StatefulSet selects the pods of its template and no others, not even those of a hook."""
    for workload in manifests.all("Deployment", "StatefulSet"):
        assert _selected(manifests, workload["spec"]["selector"]) == {label(workload)}


def test_budgets_and_services_select_one_workload(manifests: Manifests):
    """A disruption budget or a Service selects the pods of exactly one workload, never those of a hook."""
    found = [each["spec"]["selector"] for each in manifests.all("PodDisruptionBudget")]
    found += [{"matchLabels": each["spec"]["selector"]} for each in manifests.all("Service")]
    for selector in found:
        assert len(_selected(manifests, selector)) == 1, selector


def test_referenced_ports_exist(manifests: Manifests):
    """Services and probes refer to ports of the container."""
    pods = manifests.pods()
    for service in manifests.all("Service"):
        (target,) = _selected(manifests, {"matchLabels": service["spec"]["selector"]})
        named = {port["name"] for each in pods[target]["spec"]["containers"] for port in each["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= named
    for name, container in manifests.containers():
        named = {port["name"] for port in container.get("ports", [])}
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            for how in ("httpGet", "tcpSocket"):
                assert container.get(probe, {}).get(how, {}).get("port", "none") in named | {"none"}, (name, probe)


def test_mounts_and_volumes_match(manifests: Manifests):
    """Every mount has a volume, every volume is mounted, and no two mounts have the same path."""
    claims = {
        each["metadata"]["name"]: [claim["metadata"]["name"] for claim in each["spec"].get("volumeClaimTemplates", [])]
        for each in manifests.all("StatefulSet")
    }
    for name, pod in manifests.pods().items():
        volumes = [each["name"] for each in pod["spec"]["volumes"]] + claims.get(name.partition("/")[2], [])
        (container,) = pod["spec"]["containers"]
        assert sorted(volumes) == sorted(each["name"] for each in container["volumeMounts"]), name
        places = [each["mountPath"] for each in container["volumeMounts"]]
        assert len(set(places)) == len(places), name


def test_scalers_refer_to_one_deployment_each(manifests: Manifests):
    """Each scaler scales one Deployment, which has no other scaler and does not set its replicas."""
    scalers = manifests.all("ScaledObject", "HorizontalPodAutoscaler")
    scaled = [each["spec"]["scaleTargetRef"]["name"] for each in scalers]
    assert len(set(scaled)) == len(scaled)
    for deployment in manifests.all("Deployment"):
        assert (deployment["metadata"]["name"] in scaled) == ("replicas" not in deployment["spec"])
    assert set(scaled) <= {each["metadata"]["name"] for each in manifests.all("Deployment")}


def test_resources_have_the_recommended_labels(manifests: Manifests):
    """Every resource has the labels that Kubernetes recommends, with the name of the release."""
    ours = [each for each in manifests.documents if not each["kind"].startswith("ValidatingAdmission")]
    for each in ours:
        labels = each["metadata"]["labels"]
        assert labels["app.kubernetes.io/instance"] == "financehub", label(each)
        assert {"app.kubernetes.io/name", "app.kubernetes.io/component"} <= labels.keys(), label(each)
