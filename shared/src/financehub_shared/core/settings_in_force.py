"""Says which settings are in force in this environment, and where each comes from, without any secret."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from financehub_shared.core.redis_url import RedisUrl
from financehub_shared.core.settings import SECRET_FIELDS, Settings, load_settings, variables
from financehub_shared.core.url_secrets import mask_urls

#: What is shown instead of a secret.
HIDDEN = "(hidden)"


class Source(StrEnum):
    """Where the value of a setting comes from."""

    DEFAULT = "default"
    ENVIRONMENT = "environment"
    FILE = "file"  # a file in FINANCEHUB_SECRETS_DIR


@dataclass(frozen=True, slots=True)
class SettingInForce:
    """One setting.

    Args:
        name: The environment variable.
        value: The value as text; `(hidden)` for a secret, and empty if there is none.
        source: Where it comes from.
        is_secret: Whether the value is a secret.
        description: The description, with the reason for the default.
    """

    name: str
    value: str
    source: Source
    is_secret: bool
    description: str


def settings_in_force(environ: Mapping[str, str] | None = None) -> list[SettingInForce]:
    """Return all settings in the order in which they are documented.

    Args:
        environ: The environment variables; by default those of the process.

    Raises:
        ConfigError: A setting is invalid.
    """
    environ = os.environ if environ is None else environ
    settings = load_settings(environ)
    return [
        SettingInForce(
            name,
            _shown(getattr(settings, field)),
            _source(name, field, environ, settings.secrets_dir),
            field in SECRET_FIELDS,
            " ".join((Settings.model_fields[field].description or "").split()),
        )
        for name, field in variables().items()
    ]


def _source(name: str, field: str, environ: Mapping[str, str], secrets_dir: Path | None) -> Source:
    if name in environ:
        return Source.ENVIRONMENT
    if secrets_dir is not None and field in SECRET_FIELDS and (secrets_dir / field).is_file():
        return Source.FILE
    return Source.DEFAULT


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return HIDDEN if value.get_secret_value() else ""
    if isinstance(value, list):
        return ",".join(map(_shown, value))
    if isinstance(value, Mapping):
        return ",".join(f"{name}={_shown(each)}" for name, each in value.items())
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    # The text of an address of Redis has no password, and that of any other URL may have one.
    return str(value) if isinstance(value, RedisUrl) else mask_urls(str(value))
