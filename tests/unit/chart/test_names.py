"""Tests of a release's names, labels, image references and notes."""

import re

import helm_python
import pytest

from support.chart import CHART, label, render

#: The longest release name that Helm accepts.
LONGEST = "r" * 53


def test_helm_lint_reports_nothing():
    """`helm lint --strict` finds no problem."""
    report = helm_python.lint(CHART, strict=True)
    assert [each for each in report["messages"] if each["severity"] > 1] == []
    assert report["errors"] == []


@pytest.mark.parametrize("release", ["financehub", "my-financehub", "prices", LONGEST])
def test_names_of_any_release_are_valid_and_contain_its_name(release: str):
    """Kubernetes accepts every name and label, and different releases have different names."""
    tier = {"image": {"repository": "a/b"}, "module": "m"}
    manifests = render(
        {"simulator": {"enabled": True}, "crds": {"keep": False}, "tiers": {"t" * 22: tier}}, release=release
    )
    for each in manifests.documents:
        name = each["metadata"]["name"]
        if each["kind"] not in {"ScheduledTask", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}:
            assert release[:40] in name, label(each)
        limit = 253 if each["kind"].startswith(("ClusterRole", "Validating")) else 63
        assert len(name) <= limit, label(each)
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", name), label(each)
        for value in each["metadata"].get("labels", {}).values():
            assert re.fullmatch(r"([A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?)?", value), (label(each), value)


def test_names_of_jobs_and_stateful_sets_leave_room_for_suffixes():
    """Kubernetes can append an ordinal, a hash or a revision to the name."""
    for each in render(release=LONGEST).all("StatefulSet", "Job"):
        assert len(each["metadata"]["name"]) + len("-0123456789") <= 63


def test_fullname_override_and_common_labels_apply_to_every_resource():
    """Every name begins with `fullnameOverride`, and every resource and pod has the `commonLabels`."""
    manifests = render({"fullnameOverride": "prices", "commonLabels": {"team": "quants"}})
    ours = [each for each in manifests.documents if not each["kind"].startswith("Validating")]
    for each in ours:
        assert each["metadata"]["labels"]["team"] == "quants", label(each)
        assert each["kind"] == "ScheduledTask" or "prices" in each["metadata"]["name"], label(each)
    for name, pod in manifests.pods().items():
        assert pod["metadata"]["labels"]["team"] == "quants", name


def test_names_that_look_like_numbers_or_booleans_stay_text():
    """A release called 2024 and a tier called `on` appear as strings in every label."""
    tier = {"image": {"repository": "a/b"}, "module": "m"}
    manifests = render({"fullnameOverride": "prices", "tiers": {"on": tier}}, release="2024")
    for each in manifests.documents:
        labels = each["metadata"].get("labels", {})
        assert all(isinstance(value, str) for value in labels.values()), label(each)
    assert manifests.one("Deployment", "prices-on")["spec"]["selector"]["matchLabels"] == {
        "app.kubernetes.io/name": "financehub",
        "app.kubernetes.io/instance": "2024",
        "app.kubernetes.io/component": "on",
    }


def test_labels_and_annotations_of_a_pod_take_precedence():
    """A pod's own label or annotation replaces one with the same key of the release or the chart."""
    own = {"podLabels": {"team": "quants"}, "podAnnotations": {"prometheus.io/port": "9000"}}
    pods = render({"commonLabels": {"team": "data"}, "tiers": {"high": own}}).pods()
    high, low = (pods[f"Deployment/financehub-{tier}"]["metadata"] for tier in ("high", "low"))
    assert (high["labels"]["team"], low["labels"]["team"]) == ("quants", "data")
    assert (high["annotations"]["prometheus.io/port"], low["annotations"]["prometheus.io/port"]) == ("9000", "8000")


def test_image_registry_applies_to_all_own_images():
    """Every FinanceHub image uses `image.registry`, Redis keeps its registry, and every pod has the pull Secrets."""
    manifests = render(
        {
            "simulator": {"enabled": True},
            "image": {"registry": "mirror.example/hub", "tag": "2.0.0", "pullSecrets": ["p"]},
        }
    )
    images = {container["image"] for _, container in manifests.containers()}
    assert images == {
        *(f"mirror.example/hub/financehub/{name}-priority:2.0.0" for name in ("high", "medium", "low")),
        *(f"mirror.example/hub/financehub/{name}:2.0.0" for name in ("scheduler", "simulator", "web")),
        "docker.io/library/redis:7.4.7-bookworm",
    }
    for name, pod in manifests.pods().items():
        assert pod["spec"]["imagePullSecrets"] == [{"name": "p"}], name


def test_image_with_a_digest_has_no_tag():
    """A digest takes precedence over the tag."""
    digest = f"sha256:{'0' * 64}"
    manifests = render({"tiers": {"high": {"image": {"digest": digest, "tag": "1.2.3"}}}})
    (container,) = manifests.deployment("high")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"financehub/high-priority@{digest}"


@pytest.mark.parametrize("url", ["", "https://wiki.example/runbooks"])
def test_notes_without_a_runbook_url_ask_for_it(url: str):
    """If alerts are installed without a `runbookUrl`, the notes name the value to set."""
    notes = render({"metrics": {"prometheusRule": {"enabled": True, "runbookUrl": url}}}).notes
    assert ("metrics.prometheusRule.runbookUrl" in notes) == (not url)
    assert "runbookUrl" not in render().notes


def test_notes_list_four_commands():
    """The notes list four commands with the namespace and the names of this release."""
    commands = [line.strip() for line in render().notes.splitlines() if line.startswith("  kubectl")]
    assert len(commands) == 4
    assert all("-n market" in command for command in commands)
    assert commands[0] == "kubectl port-forward -n market svc/financehub-web 8000:80"
    assert commands[1] == "kubectl get st -n market"
    assert "deploy/financehub-scheduler -- financehub status" in commands[2]
    assert commands[3].startswith("kubectl logs -n market deploy/financehub-high")


def test_simulator_is_announced_in_the_notes():
    """If the simulator is enabled, the notes and its Deployment say that the data is simulated."""
    manifests = render({"simulator": {"enabled": True}})
    assert "SIMULATED DATA" in manifests.notes
    assert "no market data" in manifests.deployment("simulator")["metadata"]["annotations"]["financehub.io/simulated"]
    assert "SIMULATED" not in render().notes
    assert not render().has("Deployment", "financehub-simulator")


def test_helm_test_runs_the_health_check():
    """`helm test` runs `financehub status` in a pod that is deleted after it succeeded."""
    pod = render().one("Pod", "financehub-test")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    (container,) = pod["spec"]["containers"]
    # The script retries for a limited time, because the first runs may not have finished yet.
    assert container["command"][:2] == ["sh", "-c"]
    assert "financehub status && exit 0" in container["command"][2]
    assert container["command"][2].endswith("exit 1")
    assert pod["spec"]["restartPolicy"] == "Never"
