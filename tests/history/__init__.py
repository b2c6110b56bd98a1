"""The history checker of the message path: real processes under faults, and an independent judge of what they did.

    make history MINUTES=30

`run.py` starts Redis, workers, producers and two schedulers, each in its own network namespace, and damages them. Every
process appends what it does to its own file (`events.py`). Afterwards, `checker` decides on these files alone whether
each promise of docs/correctness.md was kept. It imports nothing of FinanceHub.
"""
