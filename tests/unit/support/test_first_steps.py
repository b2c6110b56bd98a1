"""Tests of the text with which `make cluster` ends. tests/e2e/test_first_steps.py runs its commands."""

import re
import subprocess
from pathlib import Path

import pytest

from e2e.access import VALUES_FILE, first_steps
from support.chart import CHART, RELEASE, render
from test_cluster.targets import ExternalTarget, KindTarget, NodeTarget, Target

ROOT = Path(__file__).parents[3]


def commands_of(target: Target) -> list[str]:
    """Return the indented lines of the text, which are the commands to paste."""
    return re.findall(r"^ {2}(\S.*)$", first_steps(target), re.MULTILINE)


@pytest.mark.parametrize("target", [NodeTarget(), KindTarget()], ids=lambda target: target.name)
def test_first_steps_use_kubectl_and_helm_only_in_the_shell_of_the_cluster(target: Target) -> None:
    """The lines of make come first, and the last one of them opens the shell in which the others find the cluster."""
    lines = commands_of(target)
    made = [line for line in lines if line.startswith("make ")]
    assert made[-1] == "make cluster-shell"
    assert lines[: len(made)] == made
    assert lines[len(made)].startswith("helm install ")


@pytest.mark.parametrize("target", [NodeTarget(), KindTarget()], ids=lambda target: target.name)
def test_first_steps_name_what_the_chart_creates(target: Target) -> None:
    """Every line uses one namespace, and the Deployments, Services and ports of the release with that name exist."""
    lines = [line for line in commands_of(target) if not line.startswith("make ")]
    assert len({tuple(re.findall(r" -n (\S+)", line)) for line in lines}) == 1
    (install,) = [line.split() for line in lines if line.startswith("helm install ")]
    assert install[2] == RELEASE
    assert ROOT / install[3] == CHART
    assert Path(install[install.index("-f") + 1]) == VALUES_FILE
    rendered = render({"simulator": {"enabled": True}})
    kinds = {"deploy": "Deployment", "svc": "Service"}
    requests = [line for line in lines if line.startswith("kubectl ")]
    named = [found for line in requests for found in re.findall(r" (deploy|svc)/(\S+)(?: \d+:(\d+))?", line)]
    assert {kind for kind, _, _ in named} == kinds.keys()
    for kind, name, port in named:
        resource = rendered.one(kinds[kind], name)
        assert not port or int(port) in {each["port"] for each in resource["spec"]["ports"]}


@pytest.mark.parametrize(
    "target", [NodeTarget(), KindTarget(), ExternalTarget(Path("admin"))], ids=lambda each: each.name or "external"
)
def test_targets_of_make_in_the_first_steps_exist(target: Target) -> None:
    """Every `make` command of the text is one that `make help` lists, and no line is wider than a terminal of 120."""
    text = first_steps(target)
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    known = {line.split()[1] for line in listed.splitlines()}
    named = set(re.findall(r"\bmake ([a-z-]+)", text))
    assert named
    assert named <= known
    assert max(map(len, text.splitlines())) <= 120
