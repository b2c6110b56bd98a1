"""Names of months and weekdays, and lists of values as a sentence has them."""

from collections.abc import Sequence

MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
#: The weekdays as cron counts them.
WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")


def joined(texts: Sequence[str]) -> str:
    """Return texts as a list in a sentence, such as `A, B and C`."""
    return " and ".join(filter(None, [", ".join(texts[:-1]), *texts[-1:]]))
