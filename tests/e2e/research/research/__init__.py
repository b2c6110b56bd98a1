"""A tier that a user has added with values only. Its tasks record in Redis what they do, for the end-to-end tests."""
