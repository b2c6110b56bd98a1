"""Validation of quotes and bars before they are stored."""
