"""Looks fields up in the model of a ScheduledTask: their names, and the limits of their values."""

from collections.abc import Sequence
from typing import Any, get_args

from annotated_types import Ge, Le, MaxLen, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from financehub_shared.spec.scheduled_task import ScheduledTask

#: The names and numbers that lead to a value.
Path = tuple[str | int, ...]
#: The place of a mistake, and its description with the fix.
Problem = tuple[Path, str]


def field_names(path: Path) -> list[str]:
    """Return the names of the fields that a mapping can have; none if it is not one of the models.

    Args:
        path: Place of the mapping.
    """
    model = _model(path)
    return [field.alias or name for name, field in model.model_fields.items()] if model else []


def limits(path: Path) -> tuple[Any, Any]:
    """Return the smallest and the largest number or length that a field allows; None where there is no limit.

    Args:
        path: Place of the field.
    """
    found = _field(path)
    metadata: Sequence[Any] = found.metadata if found else ()
    least = next(
        (each.ge if isinstance(each, Ge) else each.min_length for each in metadata if _is(each, Ge, MinLen)), None
    )
    most = next(
        (each.le if isinstance(each, Le) else each.max_length for each in metadata if _is(each, Le, MaxLen)), None
    )
    return least, most


def _is(value: object, *types: type) -> bool:
    return isinstance(value, types)


def _field(path: Path) -> FieldInfo | None:
    if not path or not isinstance(path[-1], str):
        return None
    model = _model(path[:-1])
    fields = model.model_fields.items() if model else ()
    return next((field for name, field in fields if path[-1] == (field.alias or name)), None)


def _model(path: Path) -> type[BaseModel] | None:
    if not path:
        return ScheduledTask
    if isinstance(path[-1], int):
        return _model(path[:-1])
    field = _field(path)
    return None if field is None else _find_model(field.annotation)


def _find_model(annotation: Any) -> type[BaseModel] | None:
    """Return the model in an annotation such as `list[Exclusion] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, (_find_model(each) for each in get_args(annotation))), None)
