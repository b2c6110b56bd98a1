"""The view of a setting that is in force."""

from typing import Annotated

from typing_extensions import TypedDict

from financehub_shared.core.settings_in_force import SettingInForce
from financehub_shared.views.fields import Field


class SettingView(TypedDict):
    """One setting of a process."""

    name: Annotated[str, Field(description="The environment variable.", examples=["FINANCEHUB_LOG_LEVEL"])]
    value: Annotated[
        str, Field(description="The value as text. Empty if there is none, and `(hidden)` for a secret that is set.")
    ]
    source: Annotated[str, Field(description="Where it comes from: `default`, `environment` or `file`.")]
    secret: Annotated[bool, Field(description="Whether the value is a secret.")]
    description: Annotated[str, Field(description="What it does, and the reason for its default.")]


def setting_view(setting: SettingInForce) -> SettingView:
    """Return the view of a setting."""
    return {
        "name": setting.name,
        "value": setting.value,
        "source": setting.source.value,
        "secret": setting.is_secret,
        "description": setting.description,
    }
