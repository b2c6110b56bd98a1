"""`/api/v1/assets`: the instruments that FinanceHub tracks."""

from typing import Annotated

from fastapi import Query as Parameters
from fastapi import Request
from pydantic import Field
from starlette.responses import Response

from financehub_shared.core.kinds import AssetKind, AssetType
from financehub_shared.views.assets import AssetView, asset_view
from financehub_web.api.answers import Answer, Item, Page, respond
from financehub_web.api.paging import page_of
from financehub_web.api.parameters import ListQuery, Query, selected
from financehub_web.api.routing import CSV, FleetOf, Symbol, api_router
from financehub_web.api.symbols import require_asset
from financehub_web.reading.selection import contains

router = api_router("assets")


class AssetsQuery(ListQuery):
    """The parameters of the list of assets."""

    type: AssetType | None = Field(None, description="Only assets of this type.")
    kind: AssetKind | None = Field(None, description="Only assets of this kind.")
    active: bool | None = Field(None, description="Only active assets, or only those that are not active.")
    declared: bool | None = Field(None, description="Only assets of the assets file, or only those that were added.")
    q: str = Field(
        "", max_length=100, description="Only assets whose symbol or name contains this text, in upper or lower case."
    )


@router.get("/assets", response_model=Page[AssetView], responses=CSV)
def list_assets(request: Request, query: Annotated[AssetsQuery, Parameters()], fleet: FleetOf) -> Response:
    """Return all assets, sorted by symbol."""
    reading = fleet.assets()

    def make() -> Answer:
        chosen = [
            asset
            for asset in reading.value.values()
            if selected(asset.type, query.type)
            and selected(asset.kind, query.kind)
            and selected(asset.active, query.active)
            and selected(asset.declared, query.declared)
            and contains(query.q, asset.symbol, asset.name)
        ]
        page, token = page_of(chosen, lambda asset: (asset.symbol,), limit=query.limit, token=query.page_token)
        return Answer([asset_view(asset) for asset in page], AssetView, next_page_token=token)

    return respond(request, query, [reading], make)


@router.get("/assets/{symbol}", response_model=Item[AssetView])
def show_asset(request: Request, symbol: Symbol, query: Annotated[Query, Parameters()], fleet: FleetOf) -> Response:
    """Return one asset."""
    reading = fleet.assets()
    asset = require_asset(fleet, symbol)
    return respond(request, query, [reading], lambda: Answer(asset_view(asset), AssetView))
