"""The view of the freshness of the data."""

from collections.abc import Mapping
from typing import Annotated

from typing_extensions import TypedDict

from financehub_shared.views.fields import Field
from financehub_shared.views.formats import Time, iso_time


class FreshnessView(TypedDict):
    """The last delivery of one dataset by one provider."""

    dataset: Annotated[str, Field(description="The dataset.", examples=["quotes:crypto"])]
    provider: Annotated[str, Field(description="The provider.", examples=["binance"])]
    last_success_at: Annotated[Time | None, Field(description="The time of the last delivery.")]
    age_seconds: Annotated[float, Field(description="The time since the last delivery in seconds.")]
    stale: Annotated[bool, Field(description="Whether that is longer than the freshness limit of the dataset.")]


def freshness_views(
    last_success: Mapping[tuple[str, str], float], limits: Mapping[str, float], now: float
) -> list[FreshnessView]:
    """Return the view of the last delivery of each dataset by each provider, sorted.

    Args:
        last_success: (dataset, provider) → time of the last delivery in Unix seconds.
        limits: Dataset → age in seconds beyond which it is stale.
        now: The current time in Unix seconds.
    """
    return [
        {
            "dataset": dataset,
            "provider": provider,
            "last_success_at": iso_time(at),
            "age_seconds": round(now - at, 3),
            "stale": now - at > limits.get(dataset, float("inf")),
        }
        for (dataset, provider), at in sorted(last_success.items())
    ]
