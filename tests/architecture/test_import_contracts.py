"""Tests that the contracts in .importlinter find violations. Each test plants one in a copy of the packages."""

import configparser
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
CONFIG = REPOSITORY / ".importlinter"
#: Folders of all packages. `**` would also find copies of them in the build data of container images.
PACKAGES = ("shared/src/*", "cli/src/*", "services/*/src/*")


def contracts() -> dict[str, str]:
    """Return the id of each contract in .importlinter → its name."""
    config = configparser.ConfigParser()
    config.read(CONFIG)
    prefix = "importlinter:contract:"
    return {
        section.removeprefix(prefix): config[section]["name"]
        for section in config.sections()
        if section.startswith(prefix)
    }


@dataclass(frozen=True)
class Violation:
    """An import that breaks one contract.

    Args:
        contract: Id of the contract.
        module: Path of the importing module below the copies of all packages.
        line: The line that is added.
    """

    contract: str
    module: str
    line: str


#: A function, so that the import is lazy. Contracts must find lazy imports too.
LAZY = "\n\ndef _violation():\n    {}\n"
VIOLATIONS = [
    Violation("services", "financehub_high_priority/worker.py", "import financehub_medium_priority"),
    Violation("services", "financehub_shared/operations/__init__.py", "import financehub_cli"),
    Violation("simulator", "financehub_simulator/__init__.py", "import financehub_shared.core.models"),
    Violation("simulator", "financehub_simulator/__init__.py", "import financehub_scheduler.core.due_queue"),
    Violation("simulator-importers", "financehub_shared/worker/__init__.py", "import financehub_simulator"),
    Violation("simulator-importers", "financehub_high_priority/worker.py", "import financehub_simulator"),
    Violation("shared-layers", "financehub_shared/core/__init__.py", "import financehub_shared.redis.keys"),
    Violation("shared-layers", "financehub_shared/breaker/__init__.py", "import financehub_shared.monitor"),
    Violation("scheduler-layers", "financehub_scheduler/catch_up.py", "import financehub_scheduler.core"),
    Violation("scheduler-layers", "financehub_scheduler/sources/__init__.py", "import financehub_scheduler.kubernetes"),
    Violation("cli-layers", "financehub_cli/session.py", "import financehub_cli.output.result"),
    Violation("cli-commands", "financehub_cli/commands/news.py", "import financehub_cli.commands.quotes"),
    Violation("web-layers", "financehub_web/reading/cache.py", "import financehub_web.api.problems"),
    Violation("web-layers", "financehub_web/api/quotes.py", "import financehub_web.console"),
    Violation("web-layers", "financehub_web/http/clients.py", "import financehub_web.api.problems"),
    Violation("web-layers", "financehub_web/http/clients.py", "import financehub_web.access.users"),
    Violation("web", "financehub_web/app.py", "import financehub_shared.providers.protocols"),
    Violation("scheduler", "financehub_scheduler/app.py", "import financehub_shared.providers.protocols"),
    Violation("scheduler", "financehub_scheduler/app.py", "import pandas"),
    Violation("light-tiers", "financehub_high_priority/worker.py", "import pandas"),
    Violation("light-tiers", "financehub_low_priority/worker.py", "import kopf"),
    Violation("low-tier", "financehub_low_priority/worker.py", "import financehub_shared.providers.yahoo.session"),
    Violation("low-tier", "financehub_low_priority/worker.py", "import financehub_shared.providers.rss.feed"),
    Violation("due-times", "financehub_low_priority/worker.py", "import financehub_shared.schedules.due_times"),
    Violation("engine-process", "financehub_scheduler/app.py", "import financehub_scheduler.kubernetes.lease"),
    Violation("engine-process", "financehub_scheduler/link/spawn.py", "import kopf"),
    Violation("link-layers", "financehub_scheduler/link/wire.py", "import financehub_scheduler.link.mirror"),
    Violation("scheduling-core", "financehub_scheduler/core/__init__.py", "import kopf"),
    Violation("yfinance", "financehub_shared/providers/rss/provider.py", "import yfinance"),
    Violation("yfinance", "financehub_shared/providers/yahoo/provider.py", "from yfinance.data import YfData"),
    Violation("yfinance", "financehub_high_priority/worker.py", "import yfinance"),
    Violation("feedparser", "financehub_shared/providers/gdelt.py", "import feedparser"),
]


class Copies:
    """Copies of all packages in the repository, and the import linter's cache for them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        packages = [path for pattern in PACKAGES for path in REPOSITORY.glob(pattern)]
        for package in packages:
            shutil.copytree(package, folder / package.name, ignore=shutil.ignore_patterns("__pycache__"))

    def broken_contracts(self) -> set[str]:
        """Run the import linter on the copies and return the names of broken contracts."""
        results = dict(re.findall(r"^(.+) (KEPT|BROKEN)", self.lint(), re.MULTILINE))
        assert set(results) == set(contracts().values())
        return {name for name, result in results.items() if result == "BROKEN"}

    def lint(self) -> str:
        """Run the import linter on the copies and return its output."""
        script = (
            f"import sys; sys.path.insert(0, {str(self.folder)!r}); from importlinter.cli import lint_imports_command"
        )
        command = [sys.executable, "-P", "-c", f"{script}; lint_imports_command()"]
        options = [str(CONFIG), "--no-logo", "--cache-dir", str(self.folder / ".cache")]
        environment = {"COLUMNS": "400", "PATH": "", "NO_COLOR": "1"}
        done = subprocess.run([*command, *options], cwd=self.folder, env=environment, capture_output=True, text=True)  # noqa: PLW1510
        assert "Contracts:" in done.stdout, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Copies:
    """Copies of all packages, without a violation."""
    return Copies(tmp_path_factory.mktemp("packages"))


def test_contracts_without_violation_are_kept(copies: Copies):
    """The packages keep all contracts."""
    assert copies.broken_contracts() == set()


def test_contracts_each_have_a_violation_in_this_test():
    """Every contract in .importlinter is proven by at least one planted violation."""
    assert {violation.contract for violation in VIOLATIONS} == set(contracts())


@pytest.mark.parametrize("violation", VIOLATIONS, ids=lambda violation: f"{violation.contract}-{violation.module}")
def test_contract_with_a_violation_is_broken(copies: Copies, violation: Violation):
    """A lazy import that a contract forbids breaks that contract and no other."""
    module = copies.folder / violation.module
    source = module.read_text(encoding="utf-8")
    module.write_text(source + LAZY.format(violation.line), encoding="utf-8")
    try:
        assert copies.broken_contracts() == {contracts()[violation.contract]}
    finally:
        module.write_text(source, encoding="utf-8")


@pytest.mark.parametrize("contract", ["shared-layers", "scheduler-layers", "cli-layers"])
def test_layers_with_a_module_that_they_do_not_list_are_broken(copies: Copies, contract: str):
    """A layers contract lists every module and package directly below its package."""
    module = copies.folder / f"financehub_{contract.removesuffix('-layers')}" / "not_listed.py"
    module.touch()
    try:
        assert copies.broken_contracts() == {contracts()[contract]}
    finally:
        module.unlink()


#: Every way to write an import of a library.
STYLES = {
    "plain": "import {0}",
    "alias": "import {0} as library",
    "name": "from {0} import something",
    "star": "from {0} import *",
    "submodule": "import {0}.part.other",
    "function": "def f():\n    import {0}",
    "method": "class C:\n    async def f(self):\n        from {0}.part import something",
    "try": "try:\n    import {0}\nexcept ImportError:\n    pass",
    "type_checking": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import {0}",
}
#: Package in which a library must not be imported → the library.
GUARDED = {
    ("financehub_shared/providers", "yfinance"),
    ("financehub_shared/providers/rss", "curl_cffi"),
    ("financehub_shared/market/links", "feedparser"),
    ("financehub_medium_priority", "feedparser"),
    ("financehub_cli/commands", "yfinance"),
    ("financehub_simulator", "yfinance"),
    ("financehub_high_priority", "pandas"),
    ("financehub_low_priority", "talib"),
    ("financehub_low_priority", "kubernetes"),
    ("financehub_scheduler/kubernetes", "pandas"),
    ("financehub_scheduler/core", "kopf"),
    ("financehub_scheduler/redis", "aiohttp"),
}


def test_import_of_a_guarded_library_is_found_in_every_style(copies: Copies):
    """Each style of import, in a new module and in a new package, breaks a contract that names the module (F19)."""
    planted: dict[str, str] = {}
    created: list[Path] = []
    try:
        for number, (package, library) in enumerate(sorted(GUARDED)):
            for style, text in STYLES.items():
                name = f"planted_{number}_{style}"
                folder = copies.folder / package / name
                folder.mkdir()
                created.append(folder)
                (folder / "__init__.py").touch()
                module = "__init__" if style == "plain" else "deep"
                (folder / f"{module}.py").write_text(text.format(library) + "\n", encoding="utf-8")
                importer = f"{package.replace('/', '.')}.{name}" + ("" if style == "plain" else ".deep")
                planted[importer] = library
        output = copies.lint()
    finally:
        for folder in created:
            shutil.rmtree(folder)
    missing = {
        importer: library
        for importer, library in planted.items()
        if not re.search(rf"{re.escape(importer)} *-> *{library}\b", output)
    }
    assert missing == {}


def test_root_packages_are_all_packages():
    """A package that .importlinter does not list would be outside of every contract."""
    config = configparser.ConfigParser()
    config.read(CONFIG)
    packages = {
        path.name for pattern in PACKAGES for path in REPOSITORY.glob(pattern) if (path / "__init__.py").exists()
    }
    assert set(config["importlinter"]["root_packages"].split()) == packages
