"""Structured logs: one line per event, one shape for every source, secrets never."""

from financehub_shared.logging.redaction import Redactor, known_secrets
from financehub_shared.logging.setup import configure_logging

__all__ = ["Redactor", "configure_logging", "known_secrets"]
