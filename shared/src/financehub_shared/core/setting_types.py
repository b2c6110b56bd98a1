"""Setting types that parse the value of an environment variable."""

from typing import Annotated

from pydantic import BeforeValidator, Field


def split_list(value: object) -> object:
    """Turn `a, b` into `["a", "b"]`, so that a Deployment can set a list as plain text."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _split_counts(value: object) -> object:
    """Turn `high=5, low=2` into `{"high": "5", "low": "2"}`."""
    parts = split_list(value)
    if not isinstance(parts, list):
        return value
    pairs = [part.partition("=") for part in parts]
    if bad := [name + sign for name, sign, count in pairs if not (name and sign and count)]:
        raise ValueError(f"{bad[0]!r} should be a name and a number, as in high=5,low=2")
    return {name.strip(): count for name, _, count in pairs}


Port = Annotated[int, Field(ge=0, le=65_535)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Counts = Annotated[dict[str, Annotated[int, Field(ge=0)]], BeforeValidator(_split_counts)]
Names = Annotated[list[str], BeforeValidator(split_list)]
RedisUrl = Annotated[str, Field(pattern=r"^(redis|rediss|unix)://\S+$")]
HttpUrl = Annotated[str, Field(pattern=r"^https?://[^\s/]+(/\S*)?$")]
