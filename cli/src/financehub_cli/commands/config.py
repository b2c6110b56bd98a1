"""`financehub config`: the settings that are in force, and where each comes from."""

from typing import Annotated

import typer

from financehub_cli.listing import listing
from financehub_cli.options import AsJson
from financehub_cli.output.result import CommandResult, print_result
from financehub_cli.output.table import build_table
from financehub_cli.output.text import Styled
from financehub_shared.views.settings import SettingView

Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME",
        help="The settings to show, such as FINANCEHUB_LOG_LEVEL or log_level. Without names, all of them are shown.",
    ),
]
Changed = Annotated[bool, typer.Option("--changed", help="Show only settings whose value is not the default.")]


@listing(SettingView)
def config(names: Names = None, changed: Changed = False, as_json: AsJson = False) -> None:
    """Show the settings that are in force in this environment, and where each comes from.

    A setting comes from the environment, from a file in FINANCEHUB_SECRETS_DIR, or from its default. Secrets are
    hidden. The command does not ask Redis. The other processes of a fleet have their own environments, which this
    command cannot see.

    JSON: a list of {name, value, source, secret, description}. source is default, environment or file.

    Examples:
    - `financehub config --changed`
    - `financehub config redis_url log_level`
    - `financehub config --json | jq '.[] | select(.source != "default")'`
    """
    from financehub_shared.core.near_names import require_known
    from financehub_shared.core.settings import variables
    from financehub_shared.core.settings_in_force import Source, settings_in_force
    from financehub_shared.views.settings import setting_view

    fields = {field: name for name, field in variables().items()}
    wanted = [fields.get(name.lower(), name.upper()) for name in names or ()]
    for name in wanted:
        require_known("setting", name, fields.values())
    settings = [
        setting
        for setting in settings_in_force()
        if (not wanted or setting.name in wanted) and (not changed or setting.source is not Source.DEFAULT)
    ]
    # Those that somebody has set come first, because there are more than a hundred.
    settings.sort(key=lambda setting: setting.source is Source.DEFAULT)
    rows = [
        [
            setting.name,
            setting.value,
            setting.source.value if setting.source is Source.DEFAULT else Styled(setting.source.value, "yellow"),
            setting.description,
        ]
        for setting in settings
    ]
    notes = [] if settings else ["every setting has its default value"]
    table = build_table("name", "!~value", "+source", "-~description", rows=rows)
    print_result(CommandResult([setting_view(setting) for setting in settings], table, notes), as_json=as_json)
