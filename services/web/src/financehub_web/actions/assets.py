"""Actions for assets: add one, and remove one, unless the assets file declares it."""

from pydantic import Field as Value

from financehub_shared.core.kinds import AssetType
from financehub_shared.operations.assets import add_asset, find_removable, remove_assets
from financehub_web.actions.base import Action, Field, Form, Outcome, Preview


class AddAssetForm(Form):
    """Describes an asset.

    Args:
        symbol: Its symbol in upper or lower case.
        type: Its type.
        title: A readable name.
        currency: The ISO 4217 code of its currency, if the symbol does not show it.

    A long value is refused later, so that the user can correct it.
    """

    symbol: str = Value("", max_length=5_000)
    type: AssetType = AssetType.STOCK
    title: str = Value("", max_length=5_000)
    currency: str = Value("", max_length=5_000)


class AssetForm(Form):
    """Names an asset.

    Args:
        symbol: Its symbol.
    """

    symbol: str = Value(min_length=1, max_length=60)


class AddAsset(Action):
    """Adds an asset, or replaces one that was added in this way."""

    name, title, section, form = "add-asset", "Add an asset", "assets", AddAssetForm

    def preview(self, form: AddAssetForm) -> Preview:
        return Preview(
            "Which asset should FinanceHub track?",
            "Add it",
            fields=[
                Field("symbol", "Symbol", form.symbol, hint="such as SOL-USD, VOD.L or ^GSPC", is_required=True),
                Field("type", "Type", form.type.value, "choice", [each.value for each in AssetType]),
                Field("title", "Name", form.title, hint="such as Solana"),
                Field("currency", "Currency", form.currency, hint="only if the symbol does not show it"),
            ],
            warning="The next run of its task fetches the first price.",
        )

    def execute(self, form: AddAssetForm) -> Outcome:
        fields = {"symbol": form.symbol, "type": form.type.value, "name": form.title, "currency": form.currency}
        asset = add_asset(self._controls.store, fields)
        return Outcome(f"Added {asset.symbol}.", "assets")


class RemoveAsset(Action):
    """Removes an asset with its quotes, bars and indicators."""

    name, title, section, form = "remove-asset", "Remove an asset", "assets", AssetForm

    def preview(self, form: AssetForm) -> Preview:
        (symbol,) = find_removable(self._controls.store, [form.symbol])
        return Preview(
            f"Remove {symbol}?",
            "Remove it",
            hidden={"symbol": symbol},
            is_dangerous=True,
            warning="Its quotes, bars and indicators are deleted. Its news is kept until its retention ends.",
        )

    def execute(self, form: AssetForm) -> Outcome:
        removed = remove_assets(self._controls.store, [form.symbol])
        return Outcome(f"Removed {', '.join(removed)}.", "assets")
