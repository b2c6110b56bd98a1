"""`financehub assets`: what data is kept of."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from financehub_cli.outcome import ExitCode, say
from financehub_cli.output import AsJson, View, present, table
from financehub_cli.session import Session, complete_symbols
from financehub_shared.core.errors import ConfigError
from financehub_shared.core.models import Asset, AssetType
from financehub_shared.market.asset_entry import read_entry
from financehub_shared.market.assets_file import AssetsFileError, load_assets

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="""The assets that data is kept of.

    Assets that come from the assets file (`declared`) are changed there; the scheduler reconciles them. The others
    are added and removed here. Changes apply to the next run.
    """,
)

Type = Annotated[AssetType | None, typer.Option("--type", help="Only these.")]
Everything = Annotated[bool, typer.Option("--all", help="Inactive ones too.")]


@app.command("list")
def list_(type: Type = None, everything: Everything = False, as_json: AsJson = False) -> None:
    """List the assets.

    JSON: a list of {symbol, type, name, currency, active, declared, providers}.
    """
    present(_view(Session().store.assets(type, active_only=not everything)), as_json=as_json)


Symbol = Annotated[str, typer.Argument(metavar="SYMBOL", help="Canonical: BTC-USD, AAPL, VOD.L.")]
Name = Annotated[str, typer.Option("--name", help="For people.")]
Currency = Annotated[str, typer.Option("--currency", help="ISO 4217; needed for a stock outside the US.")]
Providers = Annotated[
    list[str] | None,
    typer.Option("--provider", metavar="NAME=SYMBOL", help="A provider's own symbol: kraken=XBTUSD. Repeatable."),
]
Inactive = Annotated[bool, typer.Option("--inactive", help="Keep it, fetch nothing yet.")]


@app.command()
def add(
    symbol: Symbol,
    type: Annotated[AssetType, typer.Option("--type", help="What it is.")],
    name: Name = "",
    currency: Currency = "",
    provider: Providers = None,
    inactive: Inactive = False,
    as_json: AsJson = False,
) -> None:
    """Add an asset, or change one that was added here.

    JSON: as of `assets list`, with the one asset.

    Examples:
    - `financehub assets add SOL-USD --type crypto --provider coingecko=solana`
    - `financehub assets add VOD.L --type stock --currency GBP`
    """
    fields = {"symbol": symbol.upper(), "type": type.value, "name": name, "currency": currency, "active": not inactive}
    asset, problems = read_entry(fields | {"providers": dict(map(_pair, provider or []))})
    if asset is None:
        raise ConfigError("; ".join(problem for _, problem in problems))
    store = Session().store
    _refuse_declared(store.assets(active_only=False), [asset.symbol], "change")
    store.put_assets([asset])
    present(_view([asset]), as_json=as_json)


@app.command()
def remove(
    symbols: Annotated[list[str], typer.Argument(metavar="SYMBOL", autocompletion=complete_symbols)],
    as_json: AsJson = False,
) -> None:
    """Remove assets with their quotes, bars and indicators. Their news stays until its retention.

    JSON: {removed: [symbol]}.
    """
    session = Session()
    wanted = [asset.symbol for asset in session.assets(symbols)]
    _refuse_declared(session.store.assets(active_only=False), wanted, "remove")
    session.store.remove_assets(wanted)
    present(View({"removed": wanted}, f"removed {', '.join(wanted)}"), as_json=as_json)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="YAML as of deploy/local/assets.yaml.", dir_okay=False)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check the file and say what would change.")] = False,
    as_json: AsJson = False,
) -> None:
    """Add or change all assets of a file, or none if anything in it is wrong.

    Declared assets are left to the assets file. Ends with 2 and one line per mistake if the file is wrong.

    JSON: {written: [symbol], unchanged: [symbol], declared: [symbol], dry_run}.
    """
    try:
        wanted = load_assets(file)
    except AssetsFileError as error:
        for problem in error.problems:
            say(problem)
        raise typer.Exit(ExitCode.USAGE) from error
    store = Session().store
    stored = {asset.symbol: asset for asset in store.assets(active_only=False)}
    declared = [asset.symbol for asset in wanted if asset.symbol in stored and stored[asset.symbol].declared]
    ours = [asset for asset in wanted if asset.symbol not in declared]
    changed = [asset for asset in ours if stored.get(asset.symbol) != asset]
    if not dry_run:
        store.put_assets(changed)
    data: dict[str, Any] = {
        "written": [asset.symbol for asset in changed],
        "unchanged": [asset.symbol for asset in ours if asset not in changed],
        "declared": declared,
        "dry_run": dry_run,
    }
    line = f"{'would write' if dry_run else 'wrote'} {len(changed)}, unchanged {len(data['unchanged'])}"
    notes = [f"left to the assets file: {', '.join(declared)}"] if declared else []
    present(View(data, line, notes), as_json=as_json)


def _view(assets: Sequence[Asset]) -> View:
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
    rows = [
        [
            asset.symbol,
            asset.type.value,
            asset.name,
            asset.currency,
            "yes" if asset.active else "no",
            "file" if asset.declared else "cli",
            " ".join(f"{name}={own}" for name, own in asset.provider_symbols.items()),
        ]
        for asset in assets
    ]
    return View(records, table("symbol", "type", "name", "currency", "active", "from", "provider symbols", rows=rows))


def _pair(text: str) -> tuple[str, str]:
    name, equals, own = text.partition("=")
    if not (name and equals and own):
        raise ConfigError(f"--provider {text!r}: write it as NAME=SYMBOL, such as kraken=XBTUSD")
    return name, own


def _refuse_declared(stored: Sequence[Asset], symbols: Sequence[str], what: str) -> None:
    declared = [asset.symbol for asset in stored if asset.declared and asset.symbol in symbols]
    if declared:
        raise ConfigError(f"{', '.join(declared)}: declared in the assets file, which would undo it; {what} it there")
