"""Recognizes news items that are already known."""
