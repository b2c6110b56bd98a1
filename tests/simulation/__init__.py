"""A deterministic simulation of several schedulers on one real Redis, and a model that checks each of their steps."""
