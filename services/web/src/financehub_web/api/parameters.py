"""Query parameters that several routes share. An unknown parameter is refused."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from financehub_shared.core.durations import parse_duration
from financehub_web.reading.since import read_since, read_time

#: Largest number of records on one page.
MOST_RECORDS = 10_000
#: Largest number of names in one parameter.
MOST_NAMES = 1_000


def split_names(value: object) -> object:
    """Split a list of names, which may be one text with commas, or several parameters with the same name."""
    parts = value if isinstance(value, list) else [value]
    names = (name.strip() for part in parts if isinstance(part, str) for name in part.split(","))
    return list(dict.fromkeys(name for name in names if name))


def _read_time(value: object) -> object:
    return read_time(value) if isinstance(value, str) else value


def _check_since(text: str) -> str:
    """Check a time in an address, which stays a text, so that equal requests share their answer.

    Raises:
        ValueError: It is not a time.
    """
    read_since(text, 0)
    return text


def _check_duration(text: str) -> str:
    """Check a duration in an address.

    Raises:
        ValueError: It is not a duration.
    """
    parse_duration(text)
    return text


#: A list of names, separated by commas.
Names = Annotated[list[str], BeforeValidator(split_names), Field(max_length=MOST_NAMES)]
#: Symbols in upper or lower case, separated by commas.
Symbols = Annotated[Names, AfterValidator(lambda symbols: list(dict.fromkeys(symbol.upper() for symbol in symbols)))]
#: A day or a time as Unix seconds.
Moment = Annotated[
    float,
    BeforeValidator(_read_time),
    WithJsonSchema({"type": "string", "examples": ["2026-01-05", "2026-01-05T12:00:00Z"]}),
]

#: A day, a time, or how long ago. `read_since` returns the Unix seconds.
Since = Annotated[
    str,
    Field(max_length=100),
    AfterValidator(_check_since),
    WithJsonSchema({"type": "string", "examples": ["1h", "2026-01-05", "2026-01-05T12:00:00Z"]}),
]

#: A duration, which stays a text for the same reason.
Duration = Annotated[
    str,
    Field(max_length=20),
    AfterValidator(_check_duration),
    WithJsonSchema({"type": "string", "examples": ["12h", "1d6h"]}),
]


class NoQuery(BaseModel):
    """The parameters of a route that has none."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Query(BaseModel):
    """The parameters of every route."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fields: Names = Field([], description="The keys of the records to return, separated by commas. All by default.")
    numbers: Literal["string", "float"] = Field(
        "string", description="Whether decimals are exact strings or JSON numbers, which most programs round."
    )


class TableQuery(Query):
    """The parameters of every route whose answer is a table."""

    format: Literal["json", "csv"] | None = Field(
        None,
        description="`csv` returns the records alone, with a header. The default is what the header Accept asks for.",
    )


class ListQuery(TableQuery):
    """The parameters of every route that returns a list."""

    limit: int = Field(1_000, ge=1, le=MOST_RECORDS, description="Largest number of records on one page.")
    page_token: str = Field(
        "", max_length=4_000, description="The `next_page_token` of the previous page, with the same parameters."
    )


def selected(value: Any, wanted: Any) -> bool:
    """Whether a value passes a filter. A filter that is None lets everything through."""
    return wanted is None or value == wanted
