"""Tests of README and CONTRIBUTING: schedules are valid, and make targets, links and paths exist."""

import re
import textwrap
from pathlib import Path

import pytest

from financehub_cli.app import COMMANDS
from financehub_shared.core.kinds import KINDS, AssetKind, AssetType
from financehub_shared.core.symbols.spelling import find_spellings
from financehub_shared.spec.documents import parse, split

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text(encoding="utf-8")
_YAML = re.compile(r"^ *```yaml\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
MANIFESTS = [textwrap.dedent(block) for block in _YAML.findall(README)]


@pytest.mark.parametrize("manifest", MANIFESTS)
def test_readme_schedules_are_valid(manifest: str) -> None:
    """The schedules in the README pass the scheduler's validation."""
    assert [task for document in split(manifest) if (task := parse(document))]


def test_readme_make_targets_exist() -> None:
    """Each `make x` in README and CONTRIBUTING is a documented target of the Makefile."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    documented = set(re.findall(r"^([a-z][a-z0-9-]*):.*## ", makefile, re.MULTILINE))
    text = README + (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:^|`|  )(?:[A-Z]+=\w+ )?make ([a-z][a-z0-9-]*)", text, re.MULTILINE))
    assert named >= {"run", "test", "check", "bench", "smoke"}
    assert named <= documented


def test_readme_links_lead_to_existing_files() -> None:
    """The files to which README and CONTRIBUTING link, and the pictures that they show, exist."""
    for page in ("README.md", "CONTRIBUTING.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        links = re.findall(r"\]\(([^)#:]+)\)", text)
        links += re.findall(r'\b(?:src|srcset)="([^":]+)"', text)
        assert [link for link in links if not (ROOT / link).exists()] == []
    assert re.search(r'\bsrc="docs/images/', README)
    assert re.search(r'\bsrcset="docs/images/', README)


def test_makefile_names_the_console_at_run() -> None:
    """The help of `make run`, which a newcomer reads first, says that it starts the console."""
    (help_of_run,) = re.findall(r"^run:.*## (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert "console" in help_of_run


def test_contributing_paths_exist() -> None:
    """Every path that CONTRIBUTING names exists. `shared/…/` and the like stand for a distribution's package."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    paths = set(re.findall(r"`((?:shared|services|cli|deploy|docs|tests|tools)/[\w./…-]*)`", text))
    assert len(paths) > 30
    assert [path for path in sorted(paths) if not list(ROOT.glob(path.rstrip("/").replace("…", "src/*")))] == []


def test_readme_names_every_command_of_the_cli() -> None:
    """The README names every command of the CLI."""
    names = sorted(entry.name for entry in COMMANDS)
    assert len(names) > 10
    assert [name for name in names if not re.search(rf"(financehub |[`,] ?){name}\b", README)] == []


def readme_rows(heading: str) -> list[list[str]]:
    """Return the cells of the README's table whose first heading is given, without its two heading lines."""
    _, _, rest = README.partition(f"\n| {heading} |")
    table = rest.split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" |")] for line in table]


def test_readme_table_of_kinds_is_the_table_of_the_code() -> None:
    """The README has the same providers and the same limit of stale prices for every kind as `KINDS` (D14)."""
    rows = {row[0]: row for row in readme_rows("kind")}
    assert rows.keys() == {str(kind) for kind in AssetKind}
    for kind, spec in KINDS.items():
        _, _, providers, _, stale, _ = rows[kind]
        assert tuple(providers.split(", ")) == spec.providers
        limits = dict.fromkeys([spec.hours.stale_hours, spec.hours.stale_hours_abroad])
        assert [float(number) for number in re.findall(r"\d+", stale)] == list(limits)


def test_readme_notations_lead_to_the_symbols_of_their_row() -> None:
    """Each other notation in the README is read as one of the symbols in its row (D11)."""
    rows = readme_rows("asset")
    assert len(rows) == 6
    for name, canonical, others in rows:
        type = AssetType.CRYPTO if name == "coin" else AssetType.STOCK
        symbols = re.findall(r"`([^`]+)`", canonical)
        for text in (*symbols, *re.findall(r"`([^`]+)`", others)):
            (spelling,) = find_spellings(text, type)
            assert spelling.symbol in symbols, text
