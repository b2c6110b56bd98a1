"""The read API, `/api/v1`: one module per subject, and what all of them share."""
