"""Decides who may do what: host names, users with their roles, and the origin of requests that change something."""
