"""`financehub assets`: the instruments that FinanceHub tracks."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from financehub_cli.completion import complete_symbols
from financehub_cli.groups import new_group
from financehub_cli.listing import listing, tables
from financehub_cli.options import AsJson
from financehub_cli.output.result import CommandResult, print_result
from financehub_cli.output.table import build_table
from financehub_cli.output.text import plain_text
from financehub_cli.session import Session
from financehub_shared.core.errors import ConfigError
from financehub_shared.core.kinds import AssetKind, AssetType
from financehub_shared.core.models import Asset
from financehub_shared.views.assets import AssetView, added_asset_view, asset_view, first_fetch_view

if TYPE_CHECKING:  # the list of assets needs neither the broker nor the reader of files
    from financehub_cli.first_fetch import FirstFetch

app = new_group(
    """List, add, remove, export and import the assets that FinanceHub tracks.

    Assets that the assets file declares can only be changed in that file, because the scheduler keeps them equal to it.
    You can add and remove other assets here. A change applies to the next run.
    """
)

TypeFilter = Annotated[AssetType | None, typer.Option("--type", help="List only assets of this type.")]
IncludeInactive = Annotated[bool, typer.Option("--all", help="Include inactive assets.")]
Symbol = Annotated[
    str, typer.Argument(metavar="SYMBOL", help="The symbol, such as BTC-USD, AAPL, VOD.L, ^GSPC, EURUSD=X or GC=F.")
]
Type = Annotated[AssetType, typer.Option("--type", help="The type of the asset, which determines its price task.")]
Kind = Annotated[
    AssetKind | None,
    typer.Option(
        "--kind",
        help="The kind of the asset, if the symbol does not show it. Exchange-traded funds are of the kind fund.",
    ),
]
Name = Annotated[str, typer.Option("--name", help="A readable name, such as Bitcoin.")]
Currency = Annotated[
    str,
    typer.Option(
        "--currency",
        help="The ISO 4217 code of the currency, if the symbol does not show it or the exchange uses another.",
    ),
]
Aliases = Annotated[
    list[str] | None,
    typer.Option("--alias", help="Another name of the asset in headlines, such as Google. You can repeat this option."),
]
Exchanges = Annotated[
    list[str] | None,
    typer.Option(
        "--exchange",
        help="An exchange that headlines name with the ticker, such as NASDAQ. You can repeat this option.",
    ),
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
NoFetch = Annotated[bool, typer.Option("--no-fetch", help="Do not try a first fetch.")]
RemovedSymbols = Annotated[
    list[str],
    typer.Argument(metavar="SYMBOL", help="The symbols of the assets to remove.", autocompletion=complete_symbols),
]
AssetsFile = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="A YAML file in the format of deploy/local/assets.yaml, as `assets export` prints it, or - for stdin.",
        dir_okay=False,
        allow_dash=True,
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check the file and show the changes without writing them.")]


@app.command("list")
@listing(AssetView)
def list_(type: TypeFilter = None, include_inactive: IncludeInactive = False, as_json: AsJson = False) -> None:
    """List the active assets.

    JSON: a list of {symbol, type, kind, name, currency, active, declared, providers, aliases, exchanges}. declared is
    true if the assets file declares the asset.

    Examples:
    - `financehub assets list --type crypto`
    - `financehub assets list --all --format csv`
    """
    session = Session()
    assets = session.store.assets(type, active_only=not include_inactive)
    print_result(replace(_build_result(assets), code=session.exit_code()), as_json=as_json)


@app.command()
@tables
def add(
    symbol: Symbol,
    type: Type,
    kind: Kind = None,
    name: Name = "",
    currency: Currency = "",
    provider: ProviderSymbols = None,
    alias: Aliases = None,
    exchange: Exchanges = None,
    inactive: Inactive = False,
    no_fetch: NoFetch = False,
    as_json: AsJson = False,
) -> None:
    """Add an asset, or replace one that was added with this command, and try its first fetch.

    A symbol in the notation of another source is refused, and the message contains the right spelling. The first fetch
    is a run of the price task. The asset stays added even if the first fetch fails, but the exit code is 1 if the
    providers delivered no price for it.

    JSON: a list that contains only this asset, with the keys of `assets list` and first_fetch: {price, currency,
    provider, quality, note, problem}, or null if no fetch was requested.

    Examples:
    - `financehub assets add SOL-USD --type crypto --provider coingecko=solana`
    - `financehub assets add VOD.L --type stock --alias "Vodafone Group"`
    - `financehub assets add SPY --type stock --kind fund --no-fetch`
    """
    from financehub_cli.first_fetch import try_first_fetch
    from financehub_shared.operations.assets import add_asset

    fields = {
        "type": type.value,
        "kind": kind,
        "symbol": symbol,
        "name": name,
        "currency": currency,
        "active": not inactive,
        "providers": dict(map(_parse_provider_symbol, provider or [])),
        "aliases": alias or [],
        "exchanges": exchange or [],
    }
    session = Session()
    asset = add_asset(session.store, fields)
    fetched = None if inactive or no_fetch else try_first_fetch(session, asset, show_progress=not as_json)
    print_result(_build_added(asset, fetched), as_json=as_json)


@app.command()
def remove(symbols: RemovedSymbols, yes: Yes = False, as_json: AsJson = False) -> None:
    """Remove assets with their quotes, bars and indicators. Their news is kept until its retention ends.

    On a terminal, the command asks for confirmation unless you give --yes, and the exit code is 1 if you decline.
    Without a terminal, as in a script, it does not ask.

    JSON: {removed}, a list of symbols.

    Examples:
    - `financehub assets remove SOL-USD`
    - `financehub assets remove SOL-USD DOGE-USD --yes`
    """
    from financehub_cli.confirmation import confirm, is_interactive
    from financehub_shared.operations.assets import find_removable, remove_assets

    store = Session().store
    removed = find_removable(store, symbols)
    if is_interactive() and not yes:
        confirm(f"Remove {', '.join(removed)} with all quotes, bars and indicators?")
    removed = remove_assets(store, symbols)
    print_result(CommandResult({"removed": removed}, f"removed {', '.join(removed)}"), as_json=as_json)


@app.command("import")
def import_(file: AssetsFile, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Add or change all assets of a file.

    Assets that the scheduler's assets file declares, and assets that a newer release wrote, are not changed. If the
    file contains a mistake, nothing is written, each mistake is reported on one line, and the exit code is 2.

    JSON: {written, unchanged, declared, newer, dry_run}. The first four are lists of symbols.

    Examples:
    - `financehub assets import assets.yaml --dry-run`
    - `financehub assets export | financehub assets import -`
    """
    from financehub_cli.asset_files import import_assets

    print_result(import_assets(Session(), file, dry_run=dry_run), as_json=as_json)


@app.command("export")
def export(type: TypeFilter = None, as_json: AsJson = False) -> None:
    """Print all assets, also inactive ones, in the format of the assets file, which `assets import` reads.

    The exit code is 1 if a record cannot be read, or if an import would refuse or change an asset that another release
    has stored. A note names each of them.

    JSON: {assets}, a list of the entries of the file. Fields that an import derives from others, such as the
    currency of BTC-USD, are left out.

    Examples:
    - `financehub assets export > assets.yaml`
    - `financehub assets export --type crypto | REDIS_URL=redis://other:6379/0 financehub assets import - --dry-run`
    """
    from financehub_cli.asset_files import export_assets

    print_result(export_assets(Session(), type), as_json=as_json)


def _build_result(assets: Sequence[Asset]) -> CommandResult:
    columns = ("symbol", "!type", "+kind", "~name", "+currency", "+active", "from", "-provider symbols")
    return CommandResult(list(map(asset_view, assets)), build_table(*columns, rows=map(_row, assets)))


def _build_added(asset: Asset, fetched: "FirstFetch | None") -> CommandResult:
    table = _build_result([asset]).content
    if fetched is None:
        return CommandResult([added_asset_view(asset, None)], table)
    view = added_asset_view(asset, first_fetch_view(fetched.quote, fetched.problem))
    text = plain_text(fetched.describe(asset.symbol), keep_lines=True)
    return CommandResult([view], [table, text], code=fetched.code)


def _row(asset: Asset) -> list[object]:
    return [
        asset.symbol,
        asset.type.value,
        asset.kind.value,
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
