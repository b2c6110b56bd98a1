"""Tests that every command and every block of values in the documents of the chart can work.

The end-to-end tests run the most important ones. These tests check all of them without a cluster: the names of options,
values, files and resources.
"""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import helm_python
import pytest
import yaml

from support.chart import CHART, NAMESPACE, RELEASE, render
from support.chart_values import merged
from support.documented_commands import ROOT, Command, commands, has_default, value_blocks

_README = CHART / "README.md"
_PAGES = [_README, *sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"]
_COMMANDS = [(page, command) for page in _PAGES for command in commands(page)]
_HELM = [(page, command) for page, command in _COMMANDS if command.words[0] == "helm"]
_KUBECTL = [(page, command) for page, command in _COMMANDS if command.words[0] == "kubectl"]
_BLOCKS = [(page, block) for page in _PAGES for block in value_blocks(page)]
_DEFAULTS: dict[str, Any] = yaml.load((CHART / "values.yaml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
#: The options of each verb of Helm that documents use.
_WAIT = {"--wait", "--timeout"}
_VALUES = {"--set", "--set-string", "-f", "--values", "--skip-crds"}
_HELM_OPTIONS: dict[str, set[str]] = {
    "install": _WAIT | _VALUES | {"--create-namespace"},
    "upgrade": _WAIT | _VALUES | {"--reuse-values", "--reset-then-reuse-values", "--install", "--force-conflicts"},
    "template": _VALUES | {"--show-only"},
    "uninstall": _WAIT,
    "test": {"--timeout", "--logs"},
    "rollback": _WAIT,
    "get": {"-o"},
    "list": set(),
    "history": set(),
}
_VERBS_OF_KUBECTL = {
    "annotate",
    "apply",
    "auth",
    "cp",
    "create",
    "delete",
    "describe",
    "exec",
    "explain",
    "get",
    "label",
}
_VERBS_OF_KUBECTL |= {"logs", "patch", "port-forward", "rollout", "run", "scale", "top", "wait", "config"}
#: Resources that a controller, a Job or a scheduler creates, and those of the examples for other programs.
_CREATED_LATER = {f"data-{RELEASE}-redis-0", f"{RELEASE}-redis-0", f"{RELEASE}-redis", f"{RELEASE}-scheduler"}
_CREATED_LATER |= {f"{RELEASE}-redis-copy"}


def _label(each: tuple[Path, Any]) -> str:
    page, found = each
    return f"{page.name}: {found.line[:70] if isinstance(found, Command) else ','.join(found)}"


@cache
def _has_resources(values: str, namespace: str = NAMESPACE) -> bool:
    """Whether the chart renders values, which are JSON, in a namespace. Many commands have the same values."""
    return bool(render(json.loads(values), namespace=namespace).documents)


@cache
def _names() -> frozenset[str]:
    values = {
        "simulator": {"enabled": True},
        "web": {"httpRoute": {"enabled": True, "parentRefs": [{"name": "public"}]}},
    }
    return frozenset(each["metadata"]["name"] for each in render(values).documents) | _CREATED_LATER


@pytest.mark.parametrize("found", _HELM, ids=map(_label, _HELM))
def test_helm_command_has_known_options_and_accepted_values(found: tuple[Path, Command]):
    """The verb has the options, the chart exists, and the chart accepts the values and has all of them."""
    _, command = found
    verb = command.words[1]
    options = {word.partition("=")[0] for word in command.words if word.startswith("-")} - {"-n", "--namespace"}
    assert options <= _HELM_OPTIONS[verb]
    if verb in ("install", "upgrade", "template"):
        release, chart = command.arguments()[2:4]
        assert release == RELEASE
        assert chart.startswith("oci://") or chart.endswith(".tgz") or (ROOT / chart / "Chart.yaml").exists()
    for path in command.options("--show-only"):
        assert (CHART / path).exists()
    for assignment in command.options("--set", "--set-string"):
        path = assignment.partition("=")[0]
        assert has_default(_DEFAULTS, path), path
    values = [helm_python.parse_set_string(each) for each in command.options("--set")]
    values += [helm_python.parse_set_string_values(each) for each in command.options("--set-string")]
    (namespace,) = command.options("-n", "--namespace") or [NAMESPACE]
    assert _has_resources(json.dumps(merged(*values)), namespace)


@pytest.mark.parametrize("found", _KUBECTL, ids=map(_label, _KUBECTL))
def test_kubectl_command_names_what_exists(found: tuple[Path, Command]):
    """The verb exists, and so do the resources of the release and the files that the command names."""
    page, command = found
    assert command.words[1] in _VERBS_OF_KUBECTL
    own = command.words[: command.words.index("--")] if "--" in command.words else command.words
    pattern = rf"(?:^|/)({RELEASE}-[a-z0-9-]+|data-{RELEASE}[a-z0-9-]*)$"
    # Manifests of the page may contain further resources.
    of_page = {*re.findall(r"^ *name: (\S+)$", page.read_text(encoding="utf-8"), re.MULTILINE)}
    assert {name for word in own for name in re.findall(pattern, word)} <= _names() | of_page
    for path in command.options("-f", "--filename"):
        assert path == "-" or path.startswith("https://") or "/" not in path or (ROOT / path).exists(), path


@pytest.mark.parametrize("found", _BLOCKS, ids=map(_label, _BLOCKS))
def test_values_in_a_document_are_accepted(found: tuple[Path, dict[str, Any]]):
    """The chart renders each block of values of a document."""
    _, block = found
    assert _has_resources(json.dumps(block))


def test_secrets_of_the_readme_have_the_keys_that_the_chart_reads():
    """Each row of the table of Secrets names a value of the chart, and the command has the key that it reads."""
    rows = re.findall(r"^\| .*? \| `(--from.*?)`.*? \| `([a-zA-Z.]+)`.*? \|$", _README.read_text("utf-8"), re.MULTILINE)
    keys = {"existingSecret": ["passwordKey", "proxyKey", "tokensKey"], "caSecret": ["caKey"]}
    known = (CHART / "files/providers.yaml").read_text("utf-8")
    assert len(rows) == 9
    for options, path in rows:
        assert has_default(_DEFAULTS, path), path
        section, _, name = path.rpartition(".")
        given = {re.sub(r".*/", "", each) for each in re.findall(r"--from-(?:literal|file)=([^=\s]+)", options)}
        defaults = {_value_at(f"{section}.{key}") for key in keys[name]} - {None}
        if section == "providerKeys":
            assert {"finnhub_api_key"} <= given
            assert "finnhub_api_key" in known
        else:
            assert given <= defaults | {"url"}, path


def _value_at(path: str) -> Any:
    found: Any = _DEFAULTS
    for step in path.split("."):
        found = found.get(step) if isinstance(found, dict) else None
    return found


def test_every_question_of_a_new_user_has_a_section_with_a_command():
    """The fifteen questions are headings of the README, and each section has a command, values, or a table."""
    text = _README.read_text(encoding="utf-8")
    for question in _QUESTIONS:
        section = re.search(rf"^## {re.escape(question)}\n(.*?)(?=^## )", text, re.MULTILINE | re.DOTALL)
        assert section, question
        assert "```" in section[1], question


_QUESTIONS = (
    "Which Redis products work",
    "Which rights an install needs",
    "Which rights users need",
    "How to add an asset",
    "How to make each Secret",
    "Argo CD",
    "Flux",
    "Which hosts to allow",
    "How large must it be",
    "How to back up",
    "How to restore",
    "How to upgrade Redis",
    "How to reach the status from outside",
    "How to reach the metrics from outside",
    "OpenShift, quotas and service meshes",
)


def test_sums_of_a_default_release_are_those_of_the_readme():
    """The README states the requests and limits of all pods that run at the same time, which a quota must allow."""
    cpu, requested, limit = 0.0, 0, 0
    for resource in render().all("Deployment", "StatefulSet"):
        pods = resource["spec"].get("replicas") or 1
        for container in resource["spec"]["template"]["spec"]["containers"]:
            resources = container["resources"]
            cpu += pods * _milli(resources["requests"]["cpu"])
            requested += pods * _mebi(resources["requests"]["memory"])
            limit += pods * _mebi(resources["limits"]["memory"])
    text = " ".join(_README.read_text(encoding="utf-8").split())
    assert f"requests {cpu:.0f}m of CPU and {requested} Mi of memory, and has limits of {limit} Mi" in text


def _milli(quantity: str) -> int:
    return int(quantity.removesuffix("m")) if quantity.endswith("m") else 1000 * int(quantity)


def _mebi(quantity: str) -> int:
    return int(quantity.removesuffix("Mi")) if quantity.endswith("Mi") else 1024 * int(quantity.removesuffix("Gi"))
