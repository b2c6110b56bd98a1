"""Query parameters that several routes share. An unknown parameter is refused."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

#: Largest number of records on one page.
MOST_RECORDS = 10_000


def _split(value: object) -> object:
    """Split a list of names, which may be one text with commas, or several parameters with the same name."""
    parts = value if isinstance(value, list) else [value]
    return [name.strip() for part in parts if isinstance(part, str) for name in part.split(",") if name.strip()]


#: A list of names, separated by commas.
Names = Annotated[list[str], BeforeValidator(_split)]
#: Symbols in upper or lower case, separated by commas.
Symbols = Annotated[Names, AfterValidator(lambda symbols: [symbol.upper() for symbol in symbols])]


class Query(BaseModel):
    """The parameters of every route."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fields: Names = Field([], description="The keys of the records to return, separated by commas. All by default.")
    numbers: Literal["string", "float"] = Field(
        "string", description="Whether decimals are exact strings or JSON numbers, which most programs round."
    )


class ListQuery(Query):
    """The parameters of every route that returns a list."""

    limit: int = Field(1_000, ge=1, le=MOST_RECORDS, description="Largest number of records on one page.")
    page_token: str = Field(
        "", max_length=2_000, description="The `next_page_token` of the previous page, with the same parameters."
    )
    format: Literal["json", "csv"] = Field("json", description="`csv` returns the records alone, with a header.")
