"""The workers that the broker benchmark starts. Each has the same task, which sends one INCR to Redis."""
