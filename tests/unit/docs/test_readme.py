"""What the README says can be done, can be done."""

import re
import textwrap
from pathlib import Path

import pytest

from financehub_scheduler.sources.documents import parse, split

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text(encoding="utf-8")
_YAML = re.compile(r"^ *```yaml\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
MANIFESTS = [textwrap.dedent(block) for block in _YAML.findall(README)]


@pytest.mark.parametrize("manifest", MANIFESTS)
def test_every_schedule_of_the_readme_is_accepted(manifest: str) -> None:
    """The schedules that the README shows pass the scheduler's validation."""
    assert [task for document in split(manifest) if (task := parse(document))]


def test_every_make_target_of_the_readme_exists() -> None:
    """Each `make x` of README and CONTRIBUTING is a documented target of the Makefile."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    documented = set(re.findall(r"^([a-z][a-z0-9-]*):.*## ", makefile, re.MULTILINE))
    text = README + (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:^|`|  )(?:[A-Z]+=\w+ )?make ([a-z][a-z0-9-]*)", text, re.MULTILINE))
    assert named >= {"run", "test", "check", "bench", "smoke"}
    assert named <= documented


def test_every_link_of_the_readme_leads_somewhere() -> None:
    """The files that README and CONTRIBUTING link to are there."""
    for page in ("README.md", "CONTRIBUTING.md"):
        links = re.findall(r"\]\(([^)#:]+)\)", (ROOT / page).read_text(encoding="utf-8"))
        assert [link for link in links if not (ROOT / link).exists()] == []
