"""The tokens file: users with their roles and the SHA-256 hashes of their tokens."""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import yaml

from financehub_shared.core.errors import ConfigError

_HASH = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[\w.@+-]{1,100}")


class Role(StrEnum):
    """What a user may do. An operator may do everything that a viewer may do."""

    VIEWER = "viewer"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Token:
    """A user of the tokens file.

    Args:
        name: Name for the audit log.
        role: What the user may do.
        sha256: Hash of the token in hexadecimal digits.
    """

    name: str
    role: Role
    sha256: str


def find_token(tokens: Sequence[Token], given: str) -> Token | None:
    """Return the entry of a token, or None if no user has it."""
    digest = hashlib.sha256(given.encode("utf-8", "surrogateescape")).hexdigest()
    # Every hash is compared in constant time, so that the duration does not tell how close a guess is.
    found = [each for each in tokens if hmac.compare_digest(each.sha256, digest)]
    return found[0] if given and found else None


def token_of(authorization: str) -> tuple[str, bool] | None:
    """Return the token in a header `Authorization` and whether it is a bearer token; None for other kinds.

    Args:
        authorization: The value of the header.
    """
    kind, _, credentials = authorization.partition(" ")
    if kind.lower() == "bearer":
        return credentials.strip(), True
    return (_basic_password(credentials), False) if kind.lower() == "basic" else None


def _basic_password(credentials: str) -> str:
    try:
        _, _, password = base64.b64decode(credentials, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError):
        return ""
    return password


def read_tokens(path: Path) -> list[Token]:
    """Return the users of a tokens file: a YAML list of {name, role, sha256}.

    Raises:
        ConfigError: The file cannot be read, or an entry is invalid. The error names the entry, but no hash.
    """
    variable = f"FINANCEHUB_WEB_TOKENS_FILE={str(path)!r}"
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{variable}: cannot be read: {type(error).__name__}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" in line {mark.line + 1}" if mark else ""
        raise ConfigError(f"{variable}: not valid YAML{place}") from None
    if not isinstance(entries, list) or not entries:
        raise ConfigError(f"{variable}: write a list of entries with the keys name, role and sha256")
    tokens: list[Token] = []
    for number, entry in enumerate(entries, 1):
        problem = _entry_problem(entry, tokens)
        if problem:
            raise ConfigError(f"{variable}: entry {number}: {problem}")
        tokens.append(Token(entry["name"], Role(entry["role"]), entry["sha256"].lower()))
    return tokens


def _entry_problem(entry: object, others: Sequence[Token]) -> str:
    """Return what is wrong with an entry; empty if it is valid."""
    if not isinstance(entry, dict) or set(entry) != {"name", "role", "sha256"}:
        return "it needs exactly the keys name, role and sha256"
    name, role, digest = entry["name"], entry["role"], entry["sha256"]
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return "name: use letters, digits and . @ + - _, such as alice"
    if role not in list(Role):
        return f"role: {role!r} is not valid; use viewer or operator"
    if not isinstance(digest, str) or not _HASH.fullmatch(digest.lower()):
        return "sha256: write the SHA-256 hash of the token as 64 hexadecimal digits in quotes"
    if any(other.name == name or other.sha256 == digest.lower() for other in others):
        return f"the name {name} or its token occurs twice"
    return ""
