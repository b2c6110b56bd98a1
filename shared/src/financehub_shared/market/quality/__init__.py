"""Validates quotes and bars before they are stored."""
