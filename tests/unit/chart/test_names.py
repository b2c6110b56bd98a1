"""Names, labels, images and notes."""

import re

import helm_python
import pytest

from support.chart import CHART, label, render

#: As long as Helm lets a release's name be.
LONGEST = "r" * 53


def test_helm_finds_nothing_to_say():
    """`helm lint --strict` is content."""
    report = helm_python.lint(CHART, strict=True)
    assert [each for each in report["messages"] if each["severity"] > 1] == []
    assert report["errors"] == []


@pytest.mark.parametrize("release", ["financehub", "my-financehub", "prices", LONGEST])
def test_names_fit_and_are_the_releases_own(release: str):
    """Every name and label is one that Kubernetes takes, however the release is called, and is told from others'."""
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


def test_a_pod_of_a_job_or_stateful_set_has_a_name_that_fits():
    """What Kubernetes appends to a name still fits: an ordinal, a hash, a revision as a label."""
    for each in render(release=LONGEST).all("StatefulSet", "Job"):
        assert len(each["metadata"]["name"]) + len("-0123456789") <= 63


def test_names_can_be_ones_own():
    """`fullnameOverride` begins every name, `commonLabels` are on every resource and pod."""
    manifests = render({"fullnameOverride": "prices", "commonLabels": {"team": "quants"}})
    ours = [each for each in manifests.documents if not each["kind"].startswith("Validating")]
    for each in ours:
        assert each["metadata"]["labels"]["team"] == "quants", label(each)
        assert each["kind"] == "ScheduledTask" or "prices" in each["metadata"]["name"], label(each)
    for name, pod in manifests.pods().items():
        assert pod["metadata"]["labels"]["team"] == "quants", name


def test_names_that_look_like_something_else_are_text():
    """A release called by a number and a tier called by YAML's word for true are names, in every label."""
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


def test_what_is_nearer_wins():
    """A pod's own label or annotation stands instead of the release's or the chart's of that key, once."""
    own = {"podLabels": {"team": "quants"}, "podAnnotations": {"prometheus.io/port": "9000"}}
    pods = render({"commonLabels": {"team": "data"}, "tiers": {"high": own}}).pods()
    high, low = (pods[f"Deployment/financehub-{tier}"]["metadata"] for tier in ("high", "low"))
    assert (high["labels"]["team"], low["labels"]["team"]) == ("quants", "data")
    assert (high["annotations"]["prometheus.io/port"], low["annotations"]["prometheus.io/port"]) == ("9000", "8000")


def test_all_images_come_from_one_place():
    """`image.registry` is before every image of ours, and Redis' stays where Redis is; its Secrets are in every pod."""
    manifests = render(
        {
            "simulator": {"enabled": True},
            "image": {"registry": "mirror.example/hub", "tag": "2.0.0", "pullSecrets": ["p"]},
        }
    )
    images = {container["image"] for _, container in manifests.containers()}
    assert images == {
        *(f"mirror.example/hub/financehub/{name}-priority:2.0.0" for name in ("high", "medium", "low")),
        *(f"mirror.example/hub/financehub/{name}:2.0.0" for name in ("scheduler", "simulator")),
        "docker.io/library/redis:7.4.7-bookworm",
    }
    for name, pod in manifests.pods().items():
        assert pod["spec"]["imagePullSecrets"] == [{"name": "p"}], name


def test_a_digest_wins():
    """With a digest no tag is named: the digest is what runs."""
    digest = f"sha256:{'0' * 64}"
    manifests = render({"tiers": {"high": {"image": {"digest": digest, "tag": "1.2.3"}}}})
    (container,) = manifests.deployment("high")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"financehub/high-priority@{digest}"


@pytest.mark.parametrize("url", ["", "https://wiki.example/runbooks"])
def test_notes_ask_for_the_address_of_the_runbooks(url: str):
    """Where alerts are installed and their runbooks have no address, the notes say which value to set."""
    notes = render({"metrics": {"prometheusRule": {"enabled": True, "runbookUrl": url}}}).notes
    assert ("metrics.prometheusRule.runbookUrl" in notes) == (not url)
    assert "runbookUrl" not in render().notes


def test_notes_say_what_to_do_next():
    """The notes name three commands, with this release's namespace and names."""
    commands = [line.strip() for line in render().notes.splitlines() if line.startswith("  ")]
    assert len(commands) == 3
    assert all("-n market" in command for command in commands)
    assert commands[0] == "kubectl get st -n market"
    assert "deploy/financehub-scheduler -- financehub status" in commands[1]
    assert commands[2].startswith("kubectl logs -n market deploy/financehub-high")


def test_simulated_data_is_said_loudly():
    """With the simulator the notes say so, and its Deployment too; without it neither is there."""
    manifests = render({"simulator": {"enabled": True}})
    assert "SIMULATED DATA" in manifests.notes
    assert "no market data" in manifests.deployment("simulator")["metadata"]["annotations"]["financehub.io/simulated"]
    assert "SIMULATED" not in render().notes
    assert not render().has("Deployment", "financehub-simulator")


def test_helm_test_asks_the_fleet():
    """`helm test` runs the fleet's own health check beside it, and lets nothing be left."""
    (pod,) = render().all("Pod")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    (container,) = pod["spec"]["containers"]
    # by itself it tries again while the first runs are not over, and no longer
    assert container["command"][:2] == ["sh", "-c"]
    assert "financehub status && exit 0" in container["command"][2]
    assert container["command"][2].endswith("exit 1")
    assert pod["spec"]["restartPolicy"] == "Never"
