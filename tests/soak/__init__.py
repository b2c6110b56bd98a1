"""A release in a cluster under steady load and a fault every 20 seconds, whose processes must not grow.

`make soak MINUTES=60` runs it. docs/correctness.md says what it shows.
"""
