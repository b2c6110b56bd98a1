"""Tests of the values that every pod takes: its security, resources, metadata, account and capabilities."""

from typing import Any

import helm_python
import pytest
import yaml
from helm_python import values_from_yaml

from support.chart import CHART, Document, Manifests, label, render
from support.chart_values import merged

#: Values with which the release has every pod: seven workloads, two hooks, an uninstall hook and two tests.
ALL: dict[str, Any] = {"simulator": {"enabled": True}, "crds": {"keep": False}}
#: The section of the values for each pod.
SECTIONS = {
    "Deployment/financehub-high": "tiers.high",
    "Deployment/financehub-medium": "tierDefaults",
    "Deployment/financehub-scheduler": "scheduler",
    "Deployment/financehub-web": "web",
    "Deployment/financehub-simulator": "simulator",
    "StatefulSet/financehub-redis": "redis",
    "Job/financehub-password": "redis.passwordJob",
    "Job/financehub-crd-apply": "crds",
    "Job/financehub-crd-delete": "crds",
    "Pod/financehub-test": "tests",
    "Pod/financehub-test-web": "tests",
}
_JOBS = {name for name in SECTIONS if name.startswith(("Job/", "Pod/"))}
_IDS = ("runAsUser", "runAsGroup", "fsGroup")
#: One value of each capability, and the fields of the pod that they become.
_CAPABILITIES = """
priorityClassName: urgent
runtimeClassName: gvisor
hostAliases: [{ip: 10.0.0.1, hostnames: [redis.example]}]
dnsPolicy: None
dnsConfig: {nameservers: [10.0.0.2], options: [{name: ndots, value: "2"}]}
nodeSelector: {disk: fast}
tolerations: [{key: market, operator: Exists}]
affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: []}}
"""


def _section(path: str, **values: Any) -> dict[str, Any]:
    result: dict[str, Any] = values
    for step in reversed(path.split(".")):
        result = {step: result}
    return result


def _pods(values: dict[str, Any]) -> dict[str, Document]:
    return render(merged(ALL, values)).pods()


def test_table_names_every_pod():
    """The table of sections names every pod of a release with all parts, except one tier with the same section."""
    assert _pods({}).keys() - {"Deployment/financehub-low"} == SECTIONS.keys()


@pytest.mark.parametrize("path", [*dict.fromkeys(SECTIONS.values()), "podDefaults"])
def test_section_sets_every_capability_of_its_pods_only(path: str):
    """Each section accepts the values of podDefaults, and its pods have them. Those of other sections do not change."""
    fields = values_from_yaml(_CAPABILITIES)
    constraint = {"maxSkew": 2, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule"}
    values = {
        "topologySpreadConstraints": [constraint],
        "podLabels": {"team": "quants"},
        "podAnnotations": {"example.org/note": "by hand"},
        "podSecurityContext": {"supplementalGroups": [5]},
        "containerSecurityContext": {"runAsUser": 7},
        "resources": {"limits": {"cpu": "3"}},
        "extraVolumes": [{"name": "more", "configMap": {"name": "mine"}}],
        "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}],
        "initContainers": [{"name": "before", "image": "team/before:1"}],
        "sidecars": [{"name": "beside", "image": "team/beside:1"}],
        "lifecycle": {"preStop": {"sleep": {"seconds": 9}}},
    }
    before, after = _pods({}), _pods(_section(path, **fields, **values))
    for name, section in SECTIONS.items():
        reached = path in {section, "podDefaults"} or (path, section) == ("tierDefaults", "tiers.high")
        # Hooks and tests run where the scheduler runs, so they share its placement.
        if not reached and not (path == "scheduler" and name in _JOBS):
            assert after[name] == before[name], name
        if not reached:
            continue
        pod, spec = after[name]["metadata"], after[name]["spec"]
        assert {field: spec[field] for field in fields} == fields, name
        (found,) = [
            each for each in spec["topologySpreadConstraints"] if each["topologyKey"] == constraint["topologyKey"]
        ]
        selected = found["labelSelector"]["matchLabels"]
        assert constraint.items() <= found.items(), name
        assert selected.items() <= pod["labels"].items(), name
        assert (pod["labels"]["team"], pod["annotations"]["example.org/note"]) == ("quants", "by hand"), name
        assert spec["securityContext"]["supplementalGroups"] == [5], name
        main = next(each for each in spec["containers"] if each["name"] != "beside")
        assert main["securityContext"]["runAsUser"] == 7, name
        assert main["securityContext"]["capabilities"] == {"drop": ["ALL"]}, name
        assert main["resources"]["limits"].keys() == {"cpu", "memory"}, name
        assert values["extraVolumes"][0] in spec["volumes"], name
        assert values["extraVolumeMounts"][0] in main["volumeMounts"], name
        assert values["initContainers"][0] in spec["initContainers"], name
        assert main["lifecycle"] == values["lifecycle"], name
        # In a pod that ends by itself, a sidecar must not keep it from ending.
        ends = {"name": "beside", "image": "team/beside:1", "restartPolicy": "Always"}
        assert (ends in spec["initContainers"]) is (name in _JOBS), name
        assert (len(spec["containers"]) == 1) is (name in _JOBS), name


@pytest.mark.parametrize("path", [*dict.fromkeys(SECTIONS.values()), "podDefaults"])
def test_null_leaves_the_ids_to_the_cluster(path: str):
    """Null removes the chart's ids from the pods of a section and keeps the rest of their security context."""
    after = _pods(_section(path, podSecurityContext=dict.fromkeys(_IDS)))
    for name, section in SECTIONS.items():
        reached = path in {section, "podDefaults"} or (path, section) == ("tierDefaults", "tiers.high")
        context = after[name]["spec"]["securityContext"]
        assert {each for each in _IDS if each in context} == (set() if reached else {*_IDS}), name
        assert (context["runAsNonRoot"], context["seccompProfile"]) == (True, {"type": "RuntimeDefault"}), name


@pytest.mark.parametrize("enabled", [True, "auto", False])
def test_openshift_assigns_the_ids(enabled: bool | str):
    """On OpenShift, no pod has the chart's own ids. Other ids and all other fields stay."""
    values = merged(ALL, {"openshift": {"enabled": enabled}, "web": {"podSecurityContext": {"runAsUser": 4711}}})
    for name, pod in render(values).pods().items():
        context = pod["spec"]["securityContext"]
        assert context["runAsNonRoot"] is True, name
        assert {each for each in _IDS if context.get(each) == 10001} == (
            set() if enabled is True else {*_IDS} - ({"runAsUser"} if name == "Deployment/financehub-web" else set())
        ), name
        assert (context.get("runAsUser") == 4711) is (name == "Deployment/financehub-web"), name


def test_openshift_is_found_by_its_api(tmp_path: Any):
    """By default, the cluster is OpenShift if it has its API. Here, the chart looks for an API that always exists."""
    looks_for = '"security.openshift.io/v1"'
    copy = tmp_path / "financehub"
    for source in CHART.rglob("*"):
        target = copy / source.relative_to(CHART)
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            text = source.read_text(encoding="utf-8")
            target.write_text(text.replace(looks_for, '"apps/v1"'), encoding="utf-8")
    found = render(ALL, of=helm_python.Chart.load(copy)).pods()
    assert found.keys() >= SECTIONS.keys()
    assert all("runAsUser" not in pod["spec"]["securityContext"] for pod in found.values())


def test_quota_on_any_resource_can_be_met():
    """A limit in podDefaults.resources reaches every container of the chart, and sections can set another one."""
    limits = {"cpu": "2", "ephemeral-storage": "1Gi"}
    values = {"podDefaults": {"resources": {"limits": limits}}, "redis": {"resources": {"limits": {"cpu": "1"}}}}
    for name, container in render(merged(ALL, values)).containers():
        wanted = limits | ({"cpu": "1"} if container["name"] == "redis" else {})
        assert wanted.items() <= container["resources"]["limits"].items(), (name, container["name"])
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}, (name, container["name"])


def test_hooks_and_tests_stay_out_of_a_service_mesh():
    """Pods that end by themselves have the label and the annotation against a proxy, unless their section says else."""
    mesh = {"sidecar.istio.io/inject": "true"}
    values = {"podDefaults": {"podLabels": mesh}, "scheduler": {"podLabels": mesh}}
    for name, pod in _pods(values).items():
        assert pod["metadata"]["labels"]["sidecar.istio.io/inject"] == ("false" if name in _JOBS else "true"), name
        assert (pod["metadata"].get("annotations", {}).get("linkerd.io/inject") == "disabled") is (name in _JOBS), name
    own = {"podLabels": mesh, "podAnnotations": {"linkerd.io/inject": None}}
    sections = {"crds": own, "tests": own, "redis": {"passwordJob": own}}
    for name, pod in _pods(sections).items():
        assert (pod["metadata"]["labels"].get("sidecar.istio.io/inject") == "true") is (name in _JOBS), name
        assert "linkerd.io/inject" not in pod["metadata"].get("annotations", {}), name


def _account(manifests: Manifests, name: str) -> Document:
    return manifests.one("ServiceAccount", name)["metadata"]


@pytest.mark.parametrize("path", dict.fromkeys(SECTIONS.values()))
def test_account_of_a_section_has_its_values(path: str):
    """Each section can set the labels, annotations and token of its account, or name an existing account."""
    own = {"labels": {"team": "quants"}, "annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/a"}}
    named = {"name": "identity"} if path == "tiers.high" else {}
    manifests = render(merged(ALL, _section(path, serviceAccount=own | named | {"automountToken": True})))
    existing = render(merged(ALL, _section(path, serviceAccount={"create": False, "name": "mine"})))
    pods = {name for name, section in SECTIONS.items() if section == path}
    for name in pods:
        spec = manifests.pods()[name]["spec"]
        metadata = _account(manifests, spec["serviceAccountName"])
        assert metadata["labels"]["team"] == "quants", name
        assert metadata["annotations"]["eks.amazonaws.com/role-arn"] == own["annotations"]["eks.amazonaws.com/role-arn"]
        assert spec["automountServiceAccountToken"] is True, name
        assert existing.pods()[name]["spec"]["serviceAccountName"] == "mine", name
        assert not existing.has("ServiceAccount", spec["serviceAccountName"]) or path == "tiers.high", name
    assert not existing.has("ServiceAccount", "mine")
    # Rights follow the pods.
    for binding in existing.all("RoleBinding", "ClusterRoleBinding"):
        for subject in binding["subjects"]:
            kept = manifests.has("ServiceAccount", subject["name"])
            assert subject["name"] == "mine" or kept, label(binding)
    if path in {"scheduler", "crds", "redis.passwordJob"}:
        bound = {
            each["name"] for every in existing.all("RoleBinding", "ClusterRoleBinding") for each in every["subjects"]
        }
        assert "mine" in bound


def test_components_share_an_account_of_the_same_name():
    """Components that name one account get one account, with the annotations of both."""
    accounts = [{"name": "shared", "annotations": {f"example.org/{key}": "1"}} for key in "ab"]
    values = {"scheduler": {"serviceAccount": accounts[0]}, "web": {"serviceAccount": accounts[1]}}
    metadata = _account(render(values), "shared")
    assert metadata["annotations"] == {"example.org/a": "1", "example.org/b": "1"}


def test_common_annotations_are_on_every_object_and_no_pod():
    """CommonAnnotations are on every object of the chart, and an annotation of an object takes precedence."""
    everything = {
        "web": {
            "ingress": {"enabled": True, "hosts": [{"host": "a.example"}], "annotations": {"example.org/a": "own"}}
        },
        "metrics": {
            "podMonitor": {"enabled": True},
            "prometheusRule": {"enabled": True},
            "dashboards": {"enabled": True},
        },
        "autoscaling": {"mode": "keda"},
        "commonAnnotations": {"example.org/a": "common"},
    }
    manifests = render(merged(ALL, everything))
    for each in manifests.documents:
        wanted = "own" if each["kind"] == "Ingress" else "common"
        assert each["metadata"]["annotations"]["example.org/a"] == wanted, label(each)
        if each["kind"] in {"Deployment", "StatefulSet", "Job"}:
            assert "example.org/a" not in each["spec"]["template"]["metadata"].get("annotations", {}), label(each)
        for claim in each["spec"].get("volumeClaimTemplates", []) if "spec" in each else []:
            assert "annotations" not in claim["metadata"], "a claim cannot change"


def test_labels_and_annotations_of_a_workload_are_on_it_alone():
    """The labels and annotations of a section are on its workload, and not on its pods or other objects."""
    own = {"labels": {"team": "quants"}, "annotations": {"example.org/note": "by hand"}}
    values = merged(
        ALL, {"tierDefaults": own, "scheduler": own, "web": own, "redis": own, "simulator": own, "crds": own}
    )
    for each in render(values).documents:
        workload = each["kind"] in {"Deployment", "StatefulSet"} or each["metadata"]["name"].startswith(
            "financehub-crd"
        )
        workload = workload and each["kind"] in {"Deployment", "StatefulSet", "Job"}
        assert (each["metadata"].get("labels", {}).get("team") == "quants") is workload, label(each)
        assert (each["metadata"].get("annotations", {}).get("example.org/note") == "by hand") is workload, label(each)
    for name, pod in render(values).pods().items():
        assert "team" not in pod["metadata"]["labels"], name


def test_values_of_the_oldest_chart_have_the_same_security():
    """Values without podDefaults, which an older chart wrote, yield the security contexts of podDefaults."""
    defaults = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))["podDefaults"]
    manifests = render(merged(ALL, {"podDefaults": None}))
    for name, pod in manifests.pods().items():
        assert pod["spec"]["securityContext"] == defaults["podSecurityContext"], name
    for name, container in manifests.containers():
        assert container["securityContext"] == defaults["containerSecurityContext"], name


def test_tests_can_be_left_out():
    """With tests.enabled=false, the release has neither test pods nor their account."""
    manifests = render({"tests": {"enabled": False}})
    assert not manifests.all("Pod")
    assert not manifests.has("ServiceAccount", "financehub-test")
