"""Reads what a client accepts from the headers with qualities (RFC 9110)."""


def qualities(header: str) -> dict[str, float]:
    """Return name → quality of the entries of an `Accept` or `Accept-Encoding` header, in lower case.

    Other parameters are ignored, and so is an entry with a quality that is not a number from 0 to 1.
    """
    found: dict[str, float] = {}
    for entry in header.split(","):
        name, *parameters = (part.strip().lower() for part in entry.split(";"))
        quality = next((value.partition("=")[2] for value in parameters if value.startswith("q=")), "1")
        try:
            number = float(quality)
        except ValueError:
            continue
        if name and 0 <= number <= 1:
            found[name] = max(number, found.get(name, 0.0))
    return found


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether a client accepts a body that is compressed with gzip."""
    accepted = qualities(accept_encoding)
    return accepted.get("gzip", accepted.get("*", 0.0)) > 0
