"""HTTP and untrusted answers: requests, status codes, conditional requests, JSON values and plain text."""
