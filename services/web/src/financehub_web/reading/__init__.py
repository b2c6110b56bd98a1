"""Reads the state of the fleet from Redis for the pages and the API, which never read Redis themselves."""
