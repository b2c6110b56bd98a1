"""Benchmarks of FinanceHub and of comparable projects, measured in one run on one machine (`make bench`)."""
