"""Exports assets in the format of the assets file, and imports such a file."""

import sys
from pathlib import Path
from typing import Any

import typer

from financehub_cli.exit_codes import ExitCode, print_message
from financehub_cli.output.result import CommandResult
from financehub_cli.output.text import plain_text
from financehub_cli.session import Session
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset
from financehub_shared.market.assets_export import entry_of, why_not_importable, write_assets
from financehub_shared.market.assets_file import AssetsFileError, load_assets, read_assets
from financehub_shared.operations.assets import plan_import


def export_assets(session: Session, type: AssetType | None) -> CommandResult:
    """Return the contents of an assets file with all assets, also inactive ones.

    Args:
        session: The session of the command.
        type: Only assets of this type; None for all.
    """
    assets = session.store.assets(type, active_only=False)
    problems = {asset.symbol: why_not_importable(asset) for asset in assets}
    notes = [f"{symbol}: an import refuses or changes it: {why}" for symbol, why in problems.items() if why]
    # The writer escapes control characters, and its line feeds are those of the file.
    text = plain_text(write_assets(assets).removesuffix("\n"), keep_lines=True)
    code = ExitCode.FAILED if notes else session.exit_code()
    return CommandResult({"assets": list(map(entry_of, assets))}, text, notes, code)


def import_assets(session: Session, file: Path, *, dry_run: bool) -> CommandResult:
    """Add or change the assets of a file, and return what was done.

    Args:
        session: The session of the command.
        file: The file; `-` is stdin.
        dry_run: Whether to change nothing.

    Raises:
        Exit: The file contains mistakes, which were printed.
    """
    try:
        imported = read_assets(sys.stdin.buffer, "stdin") if str(file) == "-" else load_assets(file)
    except AssetsFileError as error:
        for problem in error.problems:
            print_message(problem)
        raise typer.Exit(ExitCode.USAGE) from error
    plan = plan_import(session.store, imported)
    if not dry_run:
        session.store.put_assets(plan.changed)
    data: dict[str, Any] = {
        "written": _symbols(plan.changed),
        "unchanged": _symbols(plan.unchanged),
        "declared": _symbols(plan.declared),
        "newer": _symbols(plan.newer),
        "dry_run": dry_run,
    }
    reasons = {"declared": "the assets file declares them", "newer": "a newer release wrote them"}
    notes = [f"not changed, because {why}: {', '.join(data[name])}" for name, why in reasons.items() if data[name]]
    line = f"{'would write' if dry_run else 'wrote'} {len(plan.changed)}, unchanged {len(plan.unchanged)}"
    return CommandResult(data, line, notes)


def _symbols(assets: list[Asset]) -> list[str]:
    return [asset.symbol for asset in assets]
