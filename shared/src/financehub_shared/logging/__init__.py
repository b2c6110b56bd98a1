"""Structured logs: one line per event, the same shape for every source, and no secrets."""

from financehub_shared.logging.redaction import Redactor, known_secrets
from financehub_shared.logging.setup import configure_logging

__all__ = ["Redactor", "configure_logging", "known_secrets"]
