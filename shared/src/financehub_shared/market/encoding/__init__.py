"""Encodes the records in Redis as JSON, and bars and indicator series as columnar blobs."""
