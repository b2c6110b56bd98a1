"""Shows prices with as many decimal places as their kind and their size need."""

from decimal import Decimal

from markupsafe import Markup

from financehub_shared.core.kinds import AssetKind

#: Shown in place of a value that does not exist.
NOTHING = "–"
#: Rates of currencies below this have four decimal places, as traders quote them.
_LARGE_RATE = 20
#: Digits that a price below 1 keeps, and the most decimal places.
_SIGNIFICANT, _MOST_PLACES = 4, 12
#: Prices with more places than this do not move all others of their column to the left.
_ALIGNED_PLACES = 4
#: As wide as a digit.
_FIGURE_SPACE = "\u2007"

Number = Decimal | float | str | None


def places(number: Number, kind: str = "") -> int:
    """Return the decimal places of a price: two from 1 upward, and four significant digits below.

    Args:
        number: The price.
        kind: Kind of its asset (`AssetKind`). Empty if it is not known.
    """
    value = _decimal(number)
    if value is None or not value:
        return 2
    size = abs(value)
    if size < 1:
        return min(_MOST_PLACES, _SIGNIFICANT - 1 - value.adjusted())
    return 4 if kind == AssetKind.FX and size < _LARGE_RATE else 2


def price(number: Number, kind: str = "") -> str:
    """Return a price with its decimal places (`places`)."""
    value = _decimal(number)
    return NOTHING if value is None else f"{round(value, places(value, kind)):,f}"


def aligned_price(number: Number, kind: str, most: int) -> Markup:
    """Return a price that ends with spaces, so that the decimal points of a column are below each other.

    Args:
        number: The price.
        kind: Kind of its asset.
        most: The most decimal places in the column.
    """
    missing = min(most, _ALIGNED_PLACES) - places(number, kind)
    space = Markup('<span class="pad">{}</span>').format(_FIGURE_SPACE * missing) if missing > 0 else Markup("")
    return Markup("{}{}").format(price(number, kind), space)


def _decimal(number: Number) -> Decimal | None:
    if number is None:
        return None
    value = Decimal(str(number))
    return value if value.is_finite() else None
