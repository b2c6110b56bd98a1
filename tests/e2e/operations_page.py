"""Runs the commands of docs/operations.md on a release, like an operator who replaces the names on the page."""

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from e2e.release import Release
from test_cluster.binaries.finder import program
from test_cluster.binaries.programs import HELM, KUBECTL

_ROOT = Path(__file__).parents[2]
_PAGE = _ROOT / "docs" / "operations.md"
_COMMAND_SECONDS = 420


def blocks_of_the_page() -> dict[str, list[str]]:
    """Return the commands of the page: title of the section → its blocks."""
    sections = re.split(r"^##+ ", _PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    found = {
        section.partition("\n")[0]: re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
        for section in sections
    }
    return {title: blocks for title, blocks in found.items() if blocks}


class Operator:
    """Runs blocks of the page, in a folder that is kept between them.

    Args:
        release: The release, whose namespace replaces that of the page.
        folder: The folder in which the commands run. The chart is at the same path as in the repository.
    """

    def __init__(self, release: Release, folder: Path) -> None:
        self.release = release
        self.folder = folder
        self.has_run: set[tuple[str, int]] = set()
        self._blocks = blocks_of_the_page()
        (folder / "deploy").symlink_to(_ROOT / "deploy")
        programs = folder / "bin"
        programs.mkdir()
        for each in (KUBECTL, HELM):
            (programs / Path(program(each)).name).symlink_to(program(each))
        self._environment = {
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "KUBECONFIG": str(release.cluster.target.kubeconfig),
            "EXTERNAL_REDIS_PASSWORD": "external-password",
        }

    def run(self, title: str, *numbers: int, replace: Mapping[str, str] | None = None) -> str:
        """Run the blocks of a section and return their output.

        Args:
            title: The title of the section.
            numbers: The blocks to run. By default, all of them.
            replace: Text of the page → what this cluster needs instead of it. Each must occur.
        """
        output = ""
        replaced: set[str] = set()
        for number in numbers or range(len(self._blocks[title])):
            block = self._blocks[title][number].replace("-n market", f"-n {self.release.namespace}")
            for text, other in (replace or {}).items():
                replaced |= {text} if text in block else set()
                block = block.replace(text, other)
            done = subprocess.run(
                ["bash", "-eu", "-o", "pipefail", "-c", block],
                cwd=self.folder,
                env=self._environment,
                capture_output=True,
                text=True,
                timeout=_COMMAND_SECONDS,
                check=False,
            )
            assert done.returncode == 0, (
                f"{title}, block {number}:\n{block}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
            )
            output += done.stdout
            self.has_run.add((title, number))
        assert replaced == set(replace or {})
        return output
