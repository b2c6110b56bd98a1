"""Setting types that parse the value of an environment variable."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, GetPydanticSchema, SecretStr
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from financehub_shared.core.reader_settings import AcceptableRedisProblem, split_names
from financehub_shared.core.redis_url import RedisUrl
from financehub_shared.core.redis_url_parser import (
    LARGEST_DATABASE,
    REDIS_PORT,
    RedisUrlError,
    parse_redis_url,
    redis_address,
)


def split_list(value: object) -> object:
    """Turn `a, b` into `["a", "b"]`, so that a Deployment can set a list as plain text."""
    return split_names(value) if isinstance(value, str) else value


def _split_counts(value: object) -> object:
    """Turn `high=5, low=2` into `{"high": "5", "low": "2"}`."""
    parts = split_list(value)
    if not isinstance(parts, list):
        return value
    pairs = [part.partition("=") for part in parts]
    if bad := [name + sign for name, sign, count in pairs if not (name and sign and count)]:
        raise ValueError(f"{bad[0]!r} should be a name and a number, as in high=5,low=2")
    return {name.strip(): count for name, _, count in pairs}


def _parse_redis_url(value: object) -> RedisUrl:
    if isinstance(value, RedisUrl):
        return value
    try:
        return parse_redis_url(str(value))
    except RedisUrlError as error:
        raise _custom_error(error) from None


def _redis_url_schema(*_: object) -> CoreSchema:
    """Return how pydantic reads and writes an address. `PlainValidator` would also compile its dataclasses, unused."""
    text = core_schema.plain_serializer_function_ser_schema(str)
    return core_schema.no_info_plain_validator_function(_parse_redis_url, serialization=text)


def _check_redis_host(host: str) -> str:
    try:
        redis_address(host, REDIS_PORT, 0)
    except RedisUrlError as error:
        raise _custom_error(error) from None
    return host


def _check_password(password: SecretStr) -> SecretStr:
    # an environment variable with bytes that are not UTF-8 has lone surrogates, which cannot be sent to Redis
    if not password.get_secret_value().isprintable():
        raise PydanticCustomError("password", "contains a control character, such as a line break, or is not UTF-8")
    return password


def _custom_error(error: RedisUrlError) -> PydanticCustomError:
    return PydanticCustomError("redis_url", "{problem}", {"problem": str(error)})


def _without_query(value: str) -> str:
    if "?" in value or "#" in value:
        raise ValueError("a base URL has no query; put a key into the setting of the provider's API key")
    if problem := _url_problem(value):
        raise ValueError(f"the URL {problem}")
    return value


def _url_problem(url: str) -> str:
    """Return why a client could not use a URL, without any part of the URL; empty if it could."""
    if not re.match(r"https?://[^/?#\s]\S*$", url, re.IGNORECASE):
        return "does not begin with https:// or http:// and a host, or contains a space"
    try:
        parts = urlsplit(url)
        has_host, _ = bool(parts.hostname), parts.port
    except ValueError:
        has_host = False
    if has_host:
        return ""
    return "has an invalid host or port; in a user or a password, write / as %2F, ? as %3F, # as %23 and @ as %40"


def _check_urls(urls: object) -> object:
    if isinstance(urls, list):
        for number, url in enumerate(urls, 1):
            if isinstance(url, str) and (problem := _url_problem(url)):
                raise ValueError(f"URL {number} {problem}")
    return urls


def _split_urls(value: object) -> object:
    return _check_urls(split_list(value))


def _split_lines(value: object) -> object:
    """Turn a list of URLs with one per line, or separated by commas, into a list. A comma inside a URL is `%2C`."""
    return _check_urls(split_list(",".join(value.split())) if isinstance(value, str) else value)


Port = Annotated[int, Field(ge=0, le=65_535)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Counts = Annotated[dict[str, Annotated[int, Field(ge=0)]], BeforeValidator(_split_counts)]
Names = Annotated[list[str], BeforeValidator(split_list)]
AcceptableRedisProblems = Annotated[list[AcceptableRedisProblem], BeforeValidator(split_list)]
RedisHost = Annotated[str, AfterValidator(_check_redis_host)]
RedisPort = Annotated[int, Field(ge=1, le=65_535)]
RedisDatabase = Annotated[int, Field(ge=0, le=LARGEST_DATABASE)]
RedisPassword = Annotated[SecretStr, AfterValidator(_check_password)]
RedisUrlSetting = Annotated[RedisUrl, GetPydanticSchema(_redis_url_schema)]
#: A base URL, to which paths are appended. A query would end up in the middle of the address.
HttpUrl = Annotated[str, AfterValidator(_without_query), Field(pattern=r"^https?://[^\s/]+(/\S*)?$")]
Urls = Annotated[list[str], BeforeValidator(_split_urls)]
SecretUrls = Annotated[list[SecretStr], BeforeValidator(_split_lines)]
