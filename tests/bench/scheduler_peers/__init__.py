"""The schedules of the benchmark, for the peers: ten thousand, all due at every full minute."""

COUNT = 10_000
