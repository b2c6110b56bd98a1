"""The workers that the benchmark of the broker starts. Each has the same task, which sends one INCR to Redis."""
