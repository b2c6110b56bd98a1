"""Masks secrets in a log line, as the last step before it is written."""

import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus, unquote, urlsplit

from pydantic import SecretStr

from financehub_shared.core.redis_url import RedisUrl
from financehub_shared.core.settings import Settings
from financehub_shared.core.text import dump_json, one_line, printable

MASK = "***"
#: Shorter secrets are masked inside URLs only, because they occur by chance in many lines.
SHORTEST_SECRET = 4

_URL_PASSWORD = re.compile(r"(\b[a-zA-Z][a-zA-Z0-9+.-]*://[^\s:/@\"']*):[^\s@/\"']+@")
_QUERY_SECRET = re.compile(
    r"([?&](?:token|key|api_?key|x_cg_(?:demo|pro)_api_key|password|secret|crumb)=)[^&\s\"']+", re.IGNORECASE
)


def known_secrets(settings: Settings) -> set[str]:
    """Return every secret in the settings: the values of secret fields and the passwords inside URLs."""
    secrets: set[str] = set()
    for field in type(settings).model_fields:
        value = getattr(settings, field)
        if isinstance(value, SecretStr):
            secrets.add(value.get_secret_value())
        elif isinstance(value, RedisUrl):
            secrets |= value.secrets
        elif isinstance(value, str) and "://" in value:
            password = urlsplit(value).password
            if password:
                secrets |= {password, unquote(password)}
    return secrets


def _spellings(secret: str) -> set[str]:
    """Return the forms that a secret can take in a line: plain, in JSON, in a Python repr, in a URL, and for people."""
    in_json = {json.dumps(secret, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}
    escaped = {dump_json(secret)[1:-1], printable(secret), one_line(secret)}
    return {secret, *in_json, *escaped, repr(secret)[1:-1], quote(secret, safe=""), quote_plus(secret)}


class Redactor:
    """Masks known secrets, passwords in URLs and keys in query strings.

    Args:
        secrets: The secret values.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        spellings = {form for secret in secrets if len(secret) >= SHORTEST_SECRET for form in _spellings(secret)}
        longest_first = sorted(spellings, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def __call__(self, text: str) -> str:
        """Return the text with every secret masked."""
        if self._known is not None:
            text = self._known.sub(MASK, text)
        if "://" in text:
            text = _URL_PASSWORD.sub(rf"\1:{MASK}@", text)
        if "=" in text:
            text = _QUERY_SECRET.sub(rf"\1{MASK}", text)
        return text
