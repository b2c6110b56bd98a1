"""What the decoding of a record can raise if another program, or a hand, has written it."""

from typing import Final

#: All of these mean that the record is damaged. A number with hundreds of digits raises OverflowError as soon as it
#: becomes a float, a deeply nested document RecursionError, and a value of another type TypeError or AttributeError.
DAMAGED: Final[tuple[type[Exception], ...]] = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    RecursionError,
)
