"""Checks the annotations of a ScheduledTask that request runs."""

import re
from collections.abc import Mapping
from datetime import datetime

from financehub_shared.spec.model_fields import Problem
from financehub_shared.spec.scheduled_task import BACKFILL, MAX_TRIGGER, RANGE, TRIGGER


def parse_range(text: str) -> tuple[datetime, datetime]:
    """Return the first and the last time of a backfill.

    Args:
        text: Value of the annotation, `<from>/<to>`.

    Raises:
        ValueError: It is not a range.
    """
    problem = f"{text!r} is not a range; write it like 2026-11-01T00:00:00Z/2026-11-02T00:00:00Z"
    # The pattern is also checked, because the API server accepts no other format.
    if not re.match(RANGE, text):
        raise ValueError(problem)
    try:
        start, end = (datetime.fromisoformat(part) for part in text.split("/"))
    except ValueError:
        raise ValueError(problem) from None
    if end < start:
        raise ValueError(f"{text!r} ends before it begins; swap the two times")
    return start, end


def annotation_problems(annotations: Mapping[str, str]) -> list[Problem]:
    """Return what is wrong with the annotations that request runs.

    Args:
        annotations: The annotations of the resource.
    """
    found: list[Problem] = []
    if len(annotations.get(TRIGGER, "")) > MAX_TRIGGER:
        problem = f"the value is longer than {MAX_TRIGGER} characters; write a shorter one"
        found.append((("metadata", "annotations", TRIGGER), problem))
    if text := annotations.get(BACKFILL):
        try:
            parse_range(text)
        except ValueError as error:
            found.append((("metadata", "annotations", BACKFILL), str(error)))
    return found
