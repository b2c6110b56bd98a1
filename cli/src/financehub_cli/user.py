"""The user of this process, whom listings show as the one who changed something."""

import getpass


def current_user() -> str:
    """Return the name of the user of this process, as far as the machine knows it."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # the user of a container often has only a number
        return "command line"
