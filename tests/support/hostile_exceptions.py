"""Exceptions that misbehave when their text, their class or their attributes are read."""

from collections.abc import Callable
from typing import Any


def _raise(error: BaseException) -> Any:
    raise error


class StrRaisesError(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")

    __repr__ = __str__


class StrExitsError(Exception):
    def __str__(self) -> str:
        raise SystemExit(3)


class StrInterruptsError(Exception):
    def __str__(self) -> str:
        raise KeyboardInterrupt


class StrRecursesError(Exception):
    def __str__(self) -> str:
        return str(self)


class StrIsBytesError(Exception):
    def __str__(self) -> str:
        return b"bytes"  # type: ignore[return-value]  # noqa: PLE0307


class StrIsNoneError(Exception):
    def __str__(self) -> str:
        return None  # type: ignore[return-value]  # noqa: PLE0307


class _Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        raise SystemExit

    def split(self, *_: Any) -> Any:
        raise SystemExit

    def __format__(self, _spec: str) -> str:
        raise SystemExit


class StrIsSubclassError(Exception):
    def __str__(self) -> str:
        return _Text("text")


class AttributesRaiseError(Exception):
    __notes__ = property(lambda _self: _raise(ValueError("notes")))
    __cause__ = property(lambda _self: _raise(SystemExit()))
    __traceback__ = property(lambda _self: _raise(SystemExit()))
    retry_after = property(lambda _self: _raise(RuntimeError("retry_after")))


class NotesAreForeignError(Exception):
    def __init__(self) -> None:
        self.__notes__ = 7  # type: ignore[assignment]


class _Meta(type):
    @property
    def __name__(cls) -> str:  # type: ignore[override]
        raise SystemExit

    @property
    def __module__(cls) -> str:  # type: ignore[override]
        raise SystemExit


class ClassRaisesError(Exception, metaclass=_Meta):
    pass


class ModuleIsForeignError(Exception):
    pass


ModuleIsForeignError.__module__ = 7  # type: ignore[assignment]


def _cycle() -> BaseException:
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    return one


def _chain() -> BaseException:
    error: BaseException = ValueError("first")
    for number in range(3_000):
        following = ValueError(str(number))
        following.__cause__ = error
        error = following
    return error


def _groups() -> BaseException:
    error: Exception = StrRaisesError()
    for _ in range(50):
        error = ExceptionGroup("group \x1b\n\ud800", [error, ValueError("\x9b")])
    return error


#: Name → function that builds the exception.
HOSTILE: dict[str, Callable[[], BaseException]] = {
    "__str__ raises": StrRaisesError,
    "__str__ exits": StrExitsError,
    "__str__ interrupts": StrInterruptsError,
    "__str__ recurses": StrRecursesError,
    "__str__ returns bytes": StrIsBytesError,
    "__str__ returns None": StrIsNoneError,
    "__str__ returns a subclass": StrIsSubclassError,
    "argument raises": lambda: ValueError(StrExitsError()),
    "10 MB": lambda: ValueError("x" * 10_000_000),
    "10 MB of lines": lambda: ValueError("x\n" * 5_000_000),
    "lone surrogates": lambda: ValueError("\ud800 \udfff"),
    "control characters": lambda: ValueError("\x00\x1b[2J\r\n2026-01-01 [info] forged \x9b\u202e"),
    "attributes raise": AttributesRaiseError,
    "notes are foreign": NotesAreForeignError,
    "class raises": ClassRaisesError,
    "module is foreign": ModuleIsForeignError,
    "name with control characters": lambda: type("Na\nme\x1b\u202e", (Exception,), {})("text"),
    "long name": lambda: type("N" * 100_000, (Exception,), {})("text"),
    "cycle of causes": _cycle,
    "long chain of causes": _chain,
    "group": _groups,
    "BaseException": lambda: BaseException("base"),
    "GeneratorExit": GeneratorExit,
    "no text": ValueError,
}
