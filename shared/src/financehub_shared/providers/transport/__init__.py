"""Sends HTTP requests and reads untrusted responses: statuses, cache validators, JSON values and plain text."""
