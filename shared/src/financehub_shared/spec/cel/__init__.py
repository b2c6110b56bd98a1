"""The CEL rules of the CRD. With them, the API server refuses invalid specs without help from the scheduler.

Each rule corresponds to a Python validator, so that both accept the same specs. The messages also have the same form:
what was read, what is wrong, and what to write.
"""
