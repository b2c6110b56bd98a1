"""The view of a quarantine record."""

from typing import Annotated

from typing_extensions import TypedDict

from financehub_shared.core.models import Quarantined
from financehub_shared.views.fields import Field
from financehub_shared.views.formats import Time, iso_time


class QuarantineView(TypedDict):
    """Rejected data of one kind, symbol, provider and class of reason."""

    kind: Annotated[str, Field(description="The kind of data: `quote`, `bar` or `news`.")]
    symbol: Annotated[str, Field(description="The symbol of the asset, or the feed of a news item.")]
    provider: Annotated[str, Field(description="The provider that delivered the data.", examples=["yahoo"])]
    reason: Annotated[
        str,
        Field(
            description="Why the data was rejected the last time: the class of reason, a colon and the details.",
            examples=["currency: USD instead of EUR"],
        ),
    ]
    payload: Annotated[
        str, Field(description="The data of the last rejection as it was delivered, at most 2,000 characters.")
    ]
    first_at: Annotated[Time | None, Field(description="The time of the first rejection.")]
    at: Annotated[Time | None, Field(description="The time of the last rejection.")]
    age_seconds: Annotated[float, Field(description="The time since the last rejection in seconds.")]
    count: Annotated[int, Field(description="The number of rejections.")]


def quarantine_view(record: Quarantined, now: float) -> QuarantineView:
    """Return the view of a quarantine record.

    Args:
        record: The record.
        now: The current time in Unix seconds.
    """
    return {
        "kind": record.kind,
        "symbol": record.symbol,
        "provider": record.provider,
        "reason": record.reason,
        "payload": record.payload,
        "first_at": iso_time(record.first_at),
        "at": iso_time(record.at),
        "age_seconds": round(now - record.at, 3),
        "count": record.count,
    }
