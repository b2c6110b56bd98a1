"""Tests of the commands of docs/operations.md without a cluster. tests/e2e/test_operations.py runs them."""

import re
from pathlib import Path

from support.chart import CHART, render

_PAGE = Path(__file__).parents[3] / "docs/operations.md"
_BLOCKS = re.findall(r"^```sh\n(.*?)^```$", _PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
_COMPONENT = "app.kubernetes.io/component"
#: Files that contain data or passwords.
_SECRET_FILES = ("backup.rdb", "redis-secret.yaml")


def test_stop_of_the_fleet_waits_only_for_pods_that_a_deployment_stops() -> None:
    """Pods of Redis, hooks, tests and the copy may stay, for example after a failure, so the wait leaves them out."""
    rendered = render({"simulator": {"enabled": True}})
    remaining = {each["spec"]["template"]["metadata"]["labels"][_COMPONENT] for each in rendered.all("StatefulSet")}
    remaining |= {each["spec"]["template"]["metadata"]["labels"][_COMPONENT] for each in rendered.all("Job")}
    remaining |= {each["metadata"]["labels"][_COMPONENT] for each in rendered.all("Pod")}
    remaining |= {"simulator", *re.findall(rf"labels: {{{_COMPONENT}: ([a-z-]+)}}", "".join(_BLOCKS))}
    (wait,) = re.findall(r"kubectl wait [^\n]*pod --for=delete[^']*'[^']*notin \((.*?)\)", "".join(_BLOCKS))
    assert {*wait.split(",")} == remaining


def test_files_with_data_or_passwords_are_readable_by_their_owner_only() -> None:
    """Every command that writes such a file outside a pod sets the mode of new files first."""
    lines = [line for page in (_PAGE, CHART / "README.md") for line in page.read_text(encoding="utf-8").splitlines()]
    written = [line for line in lines if re.search(rf"[^-] > ({'|'.join(map(re.escape, _SECRET_FILES))})\b", line)]
    assert len(written) == 3
    assert [line for line in written if not line.startswith("(umask 077; ")] == []


def test_passwords_are_in_no_arguments_and_no_other_files() -> None:
    """A variable with a password is passed to a program by bash's own printf, through a pipe."""
    commands = [line for block in _BLOCKS for line in block.replace("|\n", "| ").replace("\\\n", " ").splitlines()]
    used = [line for line in commands if re.search(r"\$\{?\w*password\b", line, re.IGNORECASE)]
    assert len(used) == 3
    assert [line for line in used if not re.fullmatch(r"printf ('[^']*'|%s) \"\$\w+\" \| +kubectl [^$>]*", line)] == []


def test_loops_of_the_page_end() -> None:
    """A loop that waits for something has a limit, because what it waits for may never happen."""
    text = "".join(_BLOCKS)
    limited = re.findall(r"^timeout \d+ sh -c .(?:until|while) ", text, re.MULTILINE)
    assert len(re.findall(r"\b(?:until|while) ", text)) == len(limited)


def test_manifests_of_the_page_repeat_nothing_that_values_of_the_chart_set() -> None:
    """Images, ids, limits and the like come from the release, because a cluster may require other ones."""
    repeated = r"\b(?:image|imagePullSecrets|securityContext|resources|runAsUser|tolerations|nodeSelector):"
    assert [line for block in _BLOCKS for line in block.splitlines() if re.search(repeated, line)] == []


def test_log_events_of_the_companion_are_explained() -> None:
    """The page has a row for each log event of the link, and no row for one that does not exist."""
    modules = (Path(__file__).parents[3] / "services/scheduler/src/financehub_scheduler/link").glob("*.py")
    code = "".join(module.read_text(encoding="utf-8") for module in modules)
    logged = re.findall(r'log\.(?:info|warning|exception|error)\("(\w+)"', code)
    explained = re.findall(r"^\| `(companion_\w+)` \|", _PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(explained) == sorted(logged)
