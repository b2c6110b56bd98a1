"""Runs dramatiq's own tests, from its source distribution, with FinanceHub's broker: `make test-dramatiq`.

Dramatiq's license is the LGPL, so its tests are not part of this repository. The runner downloads the source
distribution of the pinned version and checks it against the hash in `requirements/dev.txt`.
"""
