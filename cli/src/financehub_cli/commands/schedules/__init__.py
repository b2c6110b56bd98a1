"""`financehub schedules`: lists, pauses and resumes schedules, and runs one now or for a past time range."""

# Each module registers its commands, in the order in which the help lists them.
from financehub_cli.commands.schedules import details, documents, requests, pauses  # noqa: F401, I001
from financehub_cli.commands.schedules.group import app

__all__ = ["app"]
