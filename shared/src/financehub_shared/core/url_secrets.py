"""Finds and masks the secrets in URLs: user names and passwords, query parameters and parts that look like tokens.

A secret is recognized by its place in the URL (RFC 3986, 3.2.1 and 3.4) or by its form, because nothing else is known
about the URLs in texts of libraries and upstreams.
"""

import re
from urllib.parse import parse_qsl, unquote, urlsplit

MASK = "***"
#: A token has at least this many characters in one part with both letters and digits. Words, dates and ids have fewer.
_TOKEN_CHARACTERS = 12
#: So long a part without a separator is a token even without digits.
_LONG_CHARACTERS = 24
#: Parts of a URL of a secret feed that are at least this long do not occur by chance in other texts.
_PART_CHARACTERS = 8
#: Shorter values are masked inside URLs only, because they occur by chance in many lines.
SHORTEST_SECRET = 4

_SECRET_PARTS = re.compile(
    r"token|secret|passw|passphrase|api[-_.]?key|access[-_.]?key|private[-_.]?key|signature|credential|crumb|jwt"
    r"|session|authorization|oauth",
    re.IGNORECASE,
)
_SECRET_WORDS = frozenset({"key", "pass", "pwd", "pw", "sig", "sid", "auth", "apikey"})
_WORDS = re.compile(r"[a-z0-9]+")
#: Redis URLs have a user name that is not secret and a password. In other URLs, the user name may be the token.
_REDIS_USERINFO = re.compile(
    r"((?:redis|rediss|unix|redis\+sentinel|rediss\+sentinel)://[^\s:/?#@\"'<>]*):[^\s/?#\"'<>]*@"
)
#: The lengths of schemes and of what precedes an `@` are limited. Without limits, a hostile text of 160 kB takes 20 s,
#: during which the interpreter runs no other thread.
_USERINFO = re.compile(r"(\b(?!redis|unix)[a-z][a-z0-9+.-]{0,30}:(?://|\\/\\/))[^\s/?#\"'<>\\]+@", re.IGNORECASE)
_ENCODED_USERINFO = re.compile(r"(\b[a-z][a-z0-9+.-]{0,30}%3A%2F%2F)[^\s&\"'<>]{0,1000}?(%40|@)", re.IGNORECASE)
#: A password with an unescaped slash, such as `//user:a/b@host`. A port is not the start of a password.
_PASSWORD_WITH_SLASH = re.compile(
    r"(\b[a-z][a-z0-9+.-]{0,30}://[^\s:/?#@\"'<>]{0,300}):(?!\d{1,5}(?:[/?#\s\"']|$))[^\s@\"'<>]{0,1000}@",
    re.IGNORECASE,
)
#: A separator, a name and a value. The text may be escaped for HTML or JSON, or encoded inside another URL.
_PARAMETER = re.compile(
    r"(?P<before>[?&;#]|%3F|%26|\\u0026)(?P<name>[\w.\-\[\]~]{1,80}?)(?P<equals>=|%3D)(?P<value>[^&\s\"'<>#\\]+)",
    re.IGNORECASE,
)


def is_secret_name(name: str) -> bool:
    """Whether a query parameter with this name contains a secret, such as `apikey`, `x_token` or `X-Amz-Signature`."""
    separated = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return bool(_SECRET_PARTS.search(name)) or not _SECRET_WORDS.isdisjoint(_WORDS.findall(separated))


def looks_like_token(text: str) -> bool:
    """Whether a part of a URL is a random identifier, such as a key, rather than words, numbers or dates."""
    parts = re.findall(r"[A-Za-z0-9]+", unquote(text))
    mixed = [part for part in parts if not part.isalpha() and not part.isdigit()]
    is_uuid = len(parts) == 5 and [*map(len, parts)] == [8, 4, 4, 4, 12]
    return (
        is_uuid
        or any(len(part) >= _TOKEN_CHARACTERS for part in mixed)
        or any(len(part) >= _LONG_CHARACTERS for part in parts)
        or (len(mixed) > 1 and sum(map(len, mixed)) >= 2 * _TOKEN_CHARACTERS)
    )


def mask_urls(text: str) -> str:
    """Mask the user, the password and the secret query parameters of every URL in a text."""
    if "://" in text or "\\/\\/" in text:
        text = _REDIS_USERINFO.sub(rf"\1:{MASK}@", text)
        text = _USERINFO.sub(rf"\1{MASK}@", text)
        text = _PASSWORD_WITH_SLASH.sub(rf"\1:{MASK}@", text)
    if "%3" in text:
        text = _ENCODED_USERINFO.sub(rf"\1{MASK}\2", text)
    if "=" in text or "%3" in text:
        text = _PARAMETER.sub(_mask_parameter, text)
    return text


def _mask_parameter(match: re.Match[str]) -> str:
    if is_secret_name(match["name"]) or looks_like_token(match["value"]):
        return f"{match['before']}{match['name']}{match['equals']}{MASK}"
    return match[0]


def has_secret(url: str) -> bool:
    """Whether a URL contains a user, a password, or a part that looks like a secret."""
    return bool(secrets_in_url(url))


def secrets_in_url(url: str, *, is_secret: bool = False) -> set[str]:
    """Return the parts of a URL that must not appear in any text, as they are written and decoded.

    Args:
        url: The URL.
        is_secret: Whether the whole URL comes from a Secret, so that every longer part of it is secret.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return {url} if is_secret else set()
    user_info, at, _ = parts.netloc.rpartition("@")
    user, _, password = user_info.partition(":")
    secrets = {password or user} if at else set()
    # `https://TOKEN:x-oauth-basic@host`: the user is the token
    secrets |= {user} if at and (is_secret or looks_like_token(user)) else set()
    segments = [*parts.path.split("/"), *host.split(".")]
    pairs = parse_qsl(f"{parts.query}&{parts.fragment}", keep_blank_values=True)
    raw_pairs = (raw.partition("=") for raw in f"{parts.query}&{parts.fragment}".split("&") if "=" in raw)
    pairs += [(name, value) for name, _, value in raw_pairs]
    secrets |= {part for part in segments if looks_like_token(part)}
    secrets |= {value for name, value in pairs if is_secret_name(name) or looks_like_token(value)}
    if is_secret:
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        secrets |= {part for part in (url, path, *parts.path.split("/"), parts.path) if len(part) >= _PART_CHARACTERS}
        secrets |= {value for _, value in pairs}
        secrets |= {raw for raw in (parts.query, parts.fragment) if len(raw) >= _PART_CHARACTERS}
    found = secrets | {unquote(secret) for secret in secrets}
    return {secret for secret in found if secret}


def public_place(url: str, *, is_secret: bool = False) -> str:
    """Return host, port and path of a URL, without what is or may be secret, as a readable name.

    `https://www.coindesk.com/arc/outboundfeeds/rss/?token=x` → `coindesk.com/arc/outboundfeeds/rss`.

    Args:
        url: The URL.
        is_secret: Whether the whole URL comes from a Secret, so that its path is not shown.
    """
    parts = urlsplit(url)
    names = (parts.hostname or "").removeprefix("www.").split(".")
    host = ".".join(MASK if looks_like_token(name) else name for name in names)
    port = f":{parts.port}" if parts.port else ""
    segments = [MASK] if is_secret else parts.path.rstrip("/").split("/")[1:]
    return "/".join([f"{host}{port}", *(MASK if looks_like_token(segment) else segment for segment in segments)])


def without_user(url: str) -> str:
    """Return a URL without its user and password, as the base of relative links."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
