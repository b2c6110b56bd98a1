"""The view of the technical indicators of an asset."""

import math
from collections.abc import Mapping
from typing import Annotated

from typing_extensions import TypedDict

from financehub_shared.core.days import iso_day
from financehub_shared.core.models import Indicators, IndicatorValues
from financehub_shared.views.fields import Field
from financehub_shared.views.formats import Day, Time, iso_time

#: Indicator → value, without those that are not defined.
Values = Mapping[str, float]


class IndicatorDayView(TypedDict):
    """The indicators of one day."""

    day: Annotated[Day, Field(description="The day in UTC.")]
    values: Annotated[
        Values, Field(description="The value of each indicator that is defined.", examples=[{"rsi_14": 61.2}])
    ]


class IndicatorsView(TypedDict):
    """The technical indicators of one asset."""

    symbol: Annotated[str, Field(description="The canonical symbol of the asset.", examples=["AAPL"])]
    engine: Annotated[str, Field(description="The library that computed the values: `talib` or `ta`.")]
    computed_at: Annotated[Time | None, Field(description="The time of the computation.")]
    age_seconds: Annotated[float, Field(description="The time since `computed_at` in seconds.")]
    last_day: Annotated[Day, Field(description="The day of the newest values.")]
    values: Annotated[
        Values, Field(description="The newest value of each indicator that is defined.", examples=[{"rsi_14": 61.2}])
    ]
    series: Annotated[list[IndicatorDayView], Field(description="The selected days, oldest first.")]


def indicator_day_view(found: Indicators, row: int) -> IndicatorDayView:
    """Return the view of the indicators of one day, without those that are not defined.

    Args:
        found: The indicators of an asset.
        row: Index of the day.
    """
    return {
        "day": iso_day(found.days[row]),
        "values": {name: column[row] for name, column in found.series.items() if math.isfinite(column[row])},
    }


def indicators_view(
    newest: IndicatorValues, now: float, series: Indicators | None = None, rows: range = range(0)
) -> IndicatorsView:
    """Return the view of the indicators of an asset.

    Args:
        newest: The newest values.
        now: The current time in Unix seconds.
        series: The values of earlier days, if the view contains any.
        rows: Indexes of these days in the series, such as `last_rows(len(series.days), 10)`.
    """
    return {
        "symbol": newest.symbol,
        "engine": newest.engine,
        "computed_at": iso_time(newest.computed_at),
        "age_seconds": round(now - newest.computed_at, 3),
        "last_day": iso_day(newest.last_day),
        "values": dict(newest.values),
        "series": [indicator_day_view(series, row) for row in rows] if series else [],
    }
