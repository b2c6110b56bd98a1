"""`financehub assets`: the instruments that FinanceHub tracks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from financehub_cli.completion import complete_symbols
from financehub_cli.exit_codes import ExitCode, print_message
from financehub_cli.groups import new_group
from financehub_cli.options import AsJson
from financehub_cli.output.result import CommandResult, print_result
from financehub_cli.output.terminal import build_table
from financehub_cli.session import Session
from financehub_shared.core.errors import ConfigError
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset
from financehub_shared.market.asset_entry import read_entry
from financehub_shared.market.assets_file import AssetsFileError, load_assets

app = new_group(
    """List, add, remove and import the assets that FinanceHub tracks.

    Assets that the assets file declares can only be changed in that file, because the scheduler keeps them equal to it.
    You can add and remove other assets here. A change applies to the next run.
    """
)

TypeFilter = Annotated[AssetType | None, typer.Option("--type", help="List only assets of this type.")]
IncludeInactive = Annotated[bool, typer.Option("--all", help="Include inactive assets.")]
Symbol = Annotated[str, typer.Argument(metavar="SYMBOL", help="The canonical symbol, such as BTC-USD, AAPL or VOD.L.")]
Type = Annotated[AssetType, typer.Option("--type", help="The type of the asset.")]
Name = Annotated[str, typer.Option("--name", help="A readable name, such as Bitcoin.")]
Currency = Annotated[
    str, typer.Option("--currency", help="The ISO 4217 currency code. It is required for stocks outside the US.")
]
ProviderSymbols = Annotated[
    list[str] | None,
    typer.Option(
        "--provider",
        metavar="NAME=SYMBOL",
        help="The symbol that a provider uses, such as kraken=XBTUSD. You can repeat this option.",
    ),
]
Inactive = Annotated[bool, typer.Option("--inactive", help="Store the asset without fetching data for it.")]
RemovedSymbols = Annotated[
    list[str],
    typer.Argument(metavar="SYMBOL", help="The symbols of the assets to remove.", autocompletion=complete_symbols),
]
AssetsFile = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="A YAML file in the format of deploy/local/assets.yaml.", dir_okay=False),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check the file and show the changes without writing them.")]


@app.command("list")
def list_(type: TypeFilter = None, include_inactive: IncludeInactive = False, as_json: AsJson = False) -> None:
    """List the active assets.

    JSON: a list of {symbol, type, name, currency, active, declared, providers}. declared is true if the assets file
    declares the asset.
    """
    assets = Session().store.assets(type, active_only=not include_inactive)
    print_result(_build_result(assets), as_json=as_json)


@app.command()
def add(
    symbol: Symbol,
    type: Type,
    name: Name = "",
    currency: Currency = "",
    provider: ProviderSymbols = None,
    inactive: Inactive = False,
    as_json: AsJson = False,
) -> None:
    """Add an asset, or replace one that was added with this command.

    JSON: a list that contains only this asset, with the keys of `assets list`.

    Examples:
    - `financehub assets add SOL-USD --type crypto --provider coingecko=solana`
    - `financehub assets add VOD.L --type stock --currency GBP`
    """
    fields = {"symbol": symbol.upper(), "type": type.value, "name": name, "currency": currency, "active": not inactive}
    asset, problems = read_entry(fields | {"providers": dict(map(_parse_provider_symbol, provider or []))})
    if asset is None:
        raise ConfigError("; ".join(problem for _, problem in problems))
    store = Session().store
    _refuse_declared(store.assets(active_only=False), [asset.symbol], "change")
    store.put_assets([asset])
    print_result(_build_result([asset]), as_json=as_json)


@app.command()
def remove(symbols: RemovedSymbols, as_json: AsJson = False) -> None:
    """Remove assets with their quotes, bars and indicators. Their news is kept until its retention ends.

    JSON: {removed}, a list of symbols.
    """
    session = Session()
    removed = [asset.symbol for asset in session.find_assets(symbols)]
    _refuse_declared(session.store.assets(active_only=False), removed, "remove")
    session.store.remove_assets(removed)
    print_result(CommandResult({"removed": removed}, f"removed {', '.join(removed)}"), as_json=as_json)


@app.command("import")
def import_(file: AssetsFile, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Add or change all assets of a file.

    Assets that the assets file of the scheduler declares stay unchanged. If the file contains a mistake, nothing is
    written, each mistake is reported on one line, and the exit code is 2.

    JSON: {written, unchanged, declared, dry_run}. The first three are lists of symbols.
    """
    try:
        imported = load_assets(file)
    except AssetsFileError as error:
        for problem in error.problems:
            print_message(problem)
        raise typer.Exit(ExitCode.USAGE) from error
    store = Session().store
    stored = {asset.symbol: asset for asset in store.assets(active_only=False)}
    declared = [asset.symbol for asset in imported if asset.symbol in stored and stored[asset.symbol].declared]
    importable = [asset for asset in imported if asset.symbol not in declared]
    changed = [asset for asset in importable if stored.get(asset.symbol) != asset]
    if not dry_run:
        store.put_assets(changed)
    data: dict[str, Any] = {
        "written": [asset.symbol for asset in changed],
        "unchanged": [asset.symbol for asset in importable if asset not in changed],
        "declared": declared,
        "dry_run": dry_run,
    }
    line = f"{'would write' if dry_run else 'wrote'} {len(changed)}, unchanged {len(data['unchanged'])}"
    notes = [f"not changed, because the assets file declares them: {', '.join(declared)}"] if declared else []
    print_result(CommandResult(data, line, notes), as_json=as_json)


def _build_result(assets: Sequence[Asset]) -> CommandResult:
    records = [
        {
            "symbol": asset.symbol,
            "type": asset.type.value,
            "name": asset.name,
            "currency": asset.currency,
            "active": asset.active,
            "declared": asset.declared,
            "providers": dict(asset.provider_symbols),
        }
        for asset in assets
    ]
    columns = ("symbol", "type", "name", "currency", "active", "from", "provider symbols")
    return CommandResult(records, build_table(*columns, rows=map(_row, assets)))


def _row(asset: Asset) -> list[object]:
    return [
        asset.symbol,
        asset.type.value,
        asset.name,
        asset.currency,
        "yes" if asset.active else "no",
        "file" if asset.declared else "cli",
        " ".join(f"{provider}={symbol}" for provider, symbol in asset.provider_symbols.items()),
    ]


def _parse_provider_symbol(text: str) -> tuple[str, str]:
    provider, equals, symbol = text.partition("=")
    if not (provider and equals and symbol):
        raise ConfigError(f"--provider {text!r}: write it as NAME=SYMBOL, such as kraken=XBTUSD")
    return provider, symbol


def _refuse_declared(stored: Sequence[Asset], symbols: Sequence[str], action: str) -> None:
    """Raise if the assets file declares one of the symbols.

    Args:
        stored: All stored assets.
        symbols: Symbols that the command changes.
        action: Verb for what the user should do in the file.
    """
    declared = [asset.symbol for asset in stored if asset.declared and asset.symbol in symbols]
    if declared:
        names = ", ".join(declared)
        raise ConfigError(f"{names}: declared in the assets file, which would undo this change; {action} it there")
