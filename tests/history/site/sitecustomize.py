"""Changes the Python processes of a history when they start: plants a bug, and records the rounds of the janitor."""

import os

if os.environ.get("HISTORY_BUG"):
    from history.planted import plant

    plant(os.environ["HISTORY_BUG"])

if os.environ.get("HISTORY_NODE", "").startswith("scheduler"):
    from history.rounds import record_rounds

    record_rounds()
