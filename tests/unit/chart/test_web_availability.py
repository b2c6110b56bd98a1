"""Tests of how the console is scaled, evicted, placed and tested by `helm test`."""

from typing import Any

import pytest

from support.chart import Manifests, render
from support.chart_values import OPTIONS


def test_console_is_scaled_down_after_the_window():
    """The autoscaler removes a pod once the load has been low for the window of the values, and adds pods at once."""
    scaling = {"enabled": True, "scaleDownWindowSeconds": 120}
    scaler = render({"web": {"autoscaling": scaling}}).one("HorizontalPodAutoscaler", "financehub-web")
    behavior = scaler["spec"]["behavior"]
    assert behavior["scaleDown"]["stabilizationWindowSeconds"] == 120
    assert behavior["scaleUp"]["stabilizationWindowSeconds"] == 0


def test_drains_evict_one_pod_of_the_console_at_a_time():
    """A budget of the console's pods has the maximum of the values. Without one, drains may evict all at once."""
    budget = render({"web": {"disruptionBudget": {"maxUnavailable": 2}}}).one("PodDisruptionBudget", "financehub-web")
    assert budget["spec"]["maxUnavailable"] == 2
    assert render().one("PodDisruptionBudget", "financehub-web")["spec"]["maxUnavailable"] == 1
    assert not render({"web": {"disruptionBudget": {"enabled": False}}}).has("PodDisruptionBudget", "financehub-web")


_PROXY = {"userHeader": "X-Forwarded-User", "trustedProxies": ["10.0.0.0/8"]}


@pytest.mark.parametrize(
    ("auth", "expected"),
    [({}, "everybody"), ({"existingSecret": "mine"}, "users"), (_PROXY, "users"), ({"trustedProxies": ["::1"]}, None)],
    ids=str,
)
def test_helm_test_expects_a_refusal_if_there_are_users(auth: dict[str, Any], expected: str | None):
    """With users of a file or of a proxy, the test has no user, so it succeeds if the console refuses it."""
    (container,) = render({"web": {"auth": auth}}).one("Pod", "financehub-test-web")["spec"]["containers"]
    *_, users, _ = container["command"]
    assert users == (expected or "everybody")


def test_helm_test_is_a_pod_of_the_release_that_only_helm_test_creates():
    """The pod exists only during `helm test`, and the policies admit it, because it has the labels of the release."""
    manifests = render({"networkPolicy": {"ingressFrom": [{"podSelector": {"matchLabels": {"app": "proxy"}}}]}})
    pod = manifests.one("Pod", "financehub-test-web")
    metadata = pod["metadata"]
    assert metadata["annotations"] == {
        "helm.sh/hook": "test",
        "helm.sh/hook-delete-policy": "before-hook-creation,hook-succeeded",
        "linkerd.io/inject": "disabled",
    }
    # This account has no rights.
    assert pod["spec"]["serviceAccountName"] == "financehub-test"
    (rule,) = manifests.one("NetworkPolicy", "financehub-web")["spec"]["ingress"]
    assert rule["from"][-1]["podSelector"]["matchLabels"].items() <= metadata["labels"].items()


def test_kubectl_uses_the_container_of_the_console():
    """`kubectl logs` and `kubectl exec` use the console's container, also if a sidecar was injected into the pod."""
    template = render().deployment("web")["spec"]["template"]
    (container,) = template["spec"]["containers"]
    assert template["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"] == container["name"]


@pytest.fixture(scope="module")
def everything() -> Manifests:
    """A release in which every pod has all values for its placement."""
    return render(OPTIONS["pods"]["everything"] | {"image": {"pullSecrets": ["pull"]}})


@pytest.mark.parametrize("name", ["Deployment/financehub-web", "Pod/financehub-test-web"])
def test_pods_of_the_console_are_placed_as_the_values_say(name: str, everything: Manifests):
    """The console and its test run on the nodes of the values, with their priority, labels and pull Secrets."""
    values = OPTIONS["pods"]["everything"]["web"]
    pod = everything.pods()[name]
    for field in ("nodeSelector", "tolerations", "affinity", "priorityClassName"):
        assert pod["spec"][field] == values[field], field
    assert pod["spec"]["imagePullSecrets"] == [{"name": "pull"}]
    assert values["podLabels"].items() <= pod["metadata"]["labels"].items()
    assert ("topologySpreadConstraints" in pod["spec"]) is (name == "Deployment/financehub-web")


def test_console_has_the_added_variables_volumes_and_annotations(everything: Manifests):
    """Variables, volumes, mounts and annotations of the values are added to those of the chart."""
    values = OPTIONS["pods"]["everything"]["web"]
    template = everything.deployment("web")["spec"]["template"]
    (container,) = template["spec"]["containers"]
    assert values["podAnnotations"].items() <= template["metadata"]["annotations"].items()
    for added, present in (
        (values["extraEnv"], container["env"]),
        (values["extraEnvFrom"], container["envFrom"]),
        (values["extraVolumes"], template["spec"]["volumes"]),
        (values["extraVolumeMounts"], container["volumeMounts"]),
    ):
        assert [each for each in added if each not in present] == []
