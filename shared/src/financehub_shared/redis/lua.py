"""Generates the Lua lines that give scripts the names of keys and hash fields, so that no script repeats a name.

A script is a prelude of such lines, followed by its own code. A misspelled name is nil in Lua, which Redis refuses.
"""

from collections.abc import Callable, Iterable, Mapping

#: Placeholder for the id while a key is split into the text before and after the id.
_ID = "\0"


def lua_table(name: str, values: Mapping[str, str]) -> str:
    """Return the definition of a Lua table with string values. A script reads them as `name.key`."""
    return f"local {name} = {{{', '.join(f'[{_quoted(key)}] = {_quoted(value)}' for key, value in values.items())}}}\n"


def lua_field_names(name: str, fields: Iterable[str]) -> str:
    """Return the definition of a Lua table that maps each hash field's name to itself."""
    return lua_table(name, {str(field): str(field) for field in fields})


def lua_key_function(name: str, key: Callable[[str], str]) -> str:
    """Return the definition of a Lua function that builds a key from an id.

    Args:
        name: Name of the Lua function.
        key: The Python function that builds the same key.
    """
    before, after = key(_ID).split(_ID)
    suffix = f" .. {_quoted(after)}" if after else ""
    return f"local function {name}(id) return {_quoted(before)} .. id{suffix} end\n"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
