"""Encodings of the records in Redis: JSON, and columnar blobs of bars and indicator series."""
