"""A tier that a user adds with values only. For the end-to-end tests, its tasks record in Redis what they do."""
