"""Colors, thresholds and value mappings. A color is a judgment. Series without a judgment use Grafana's palette."""

from collections.abc import Mapping

from grafana_foundation_sdk.models import dashboard

GOOD, WARN, BAD, NEUTRAL = "green", "orange", "red", "blue"

#: Threshold steps: the value from which a color applies (None means minus infinity), and the color.
Steps = tuple[tuple[float | None, str], ...]

ABOVE_ZERO_IS_BAD: Steps = ((None, GOOD), (1, BAD))
ABOVE_ZERO_WARNS: Steps = ((None, GOOD), (1, WARN))
NO_JUDGMENT: Steps = ((None, NEUTRAL),)


def value_map(texts: Mapping[int, tuple[str, str]]) -> dashboard.ValueMap:
    """Return a mapping that shows labels instead of numbers.

    Args:
        texts: Number → (label, color).
    """
    return dashboard.ValueMap(
        options={
            str(value): dashboard.ValueMappingResult(text=text, color=color, index=index)
            for index, (value, (text, color)) in enumerate(texts.items())
        }
    )


UP = value_map({1: ("Up", GOOD), 0: ("Down", BAD)})
STALE = value_map({0: ("fresh", GOOD), 1: ("STALE", BAD)})
BREAKER = value_map({0: ("closed", GOOD), 1: ("half-open", WARN), 2: ("open", BAD)})
PERSISTENCE = value_map(
    {0: ("On", GOOD), 1: ("Off", WARN), 2: ("Writing fails", BAD), 3: ("Writing fails", BAD)},
)
SEVERITY = dashboard.ValueMap(
    options={
        "critical": dashboard.ValueMappingResult(text="critical", color=BAD, index=0),
        "warning": dashboard.ValueMappingResult(text="warning", color=WARN, index=1),
    }
)
