"""The middleware that is called at a hook."""

from typing import Any

import pytest
from dramatiq import Middleware

from financehub_shared.broker.hooks import Hooks

HOOK = "after_ack"


class Idle(Middleware):
    """Has only hooks that do nothing."""


class Active(Middleware):
    """Has one hook."""

    def after_ack(self, *_: Any) -> None: ...


class Inherits(Active):
    """Has the hook of another class."""


class Dynamic(Middleware):
    """Creates its hooks when they are read."""

    def __getattribute__(self, name: str) -> Any:
        return print if name == HOOK else object.__getattribute__(self, name)


class Foreign:
    """Does not derive from dramatiq's class, and has no hook: dramatiq logs that."""


def with_attribute() -> Middleware:
    """Return middleware whose hook is an attribute of the object."""
    middleware = Idle()
    middleware.after_ack = print  # type: ignore[method-assign]
    return middleware


@pytest.mark.parametrize("active", [Active(), Inherits(), Dynamic(), Foreign(), with_attribute()], ids=type)
def test_active_skips_only_hooks_that_do_nothing(active: Middleware):
    """The order stays as it is, however the hook is defined."""
    last = Active()
    assert Hooks().active(HOOK, [Idle(), active, Idle(), last]) == (active, last)


def test_active_after_a_change_of_the_list_uses_the_new_list():
    """Middleware may be added to, removed from or replaced in the list of a broker at any time."""
    hooks, first, second, third = Hooks(), Active(), Active(), Active()
    middleware: list[Middleware] = [first]
    assert hooks.active(HOOK, middleware) == (first,)
    middleware.append(second)
    assert hooks.active(HOOK, middleware) == (first, second)
    middleware[0] = third
    assert hooks.active(HOOK, middleware) == (third, second)
    middleware.remove(second)
    assert hooks.active(HOOK, middleware) == (third,)
