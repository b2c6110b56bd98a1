"""docs/redis.md names every problem and every command that the code uses."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from redis.commands import CoreCommands

from financehub_shared.core.reader_settings import AcceptableRedisProblem
from financehub_shared.redis.conditions import CODES
from financehub_shared.redis.explanations import CONNECTION_CODES, WRITE_CODES

ROOT = Path(__file__).parents[3]
DOCUMENT = (ROOT / "docs/redis.md").read_text()
_CALL = re.compile(r"redis\.p?call\(\s*[\"']([A-Za-z]+)[\"']")
#: The code that is a client of Redis.
_FOLDERS = [*(ROOT / name for name in ("shared/src", "cli/src")), *ROOT.glob("services/*/src")]
#: Method of redis-py → its command. All other methods have the name of their command.
_COMMANDS = {"delete": "del", "register_script": "evalsha"}
#: Methods of redis-py that other objects have too. They count only if the object is a client or a pipeline.
_COMMON = {
    *("command", "copy", "digest", "dump", "keys", "publish", "register", "reset", "restore", "shutdown", "sort"),
    *("touch", "wait"),
}
_RECEIVERS = ("client", "pipeline", "transaction", "redis")


def allowed() -> set[str]:
    """Return the commands that the documented ACL allows."""
    (block,) = re.findall(r"```\n(ACL SETUSER .*?)```", DOCUMENT, re.DOTALL)
    return {word[1:] for word in block.split() if word.startswith("+")}


def called_in_scripts() -> dict[str, str]:
    """Return each command in a Lua script of the product, in lower case, and a file that contains it."""
    files = [path for folder in _FOLDERS for suffix in ("*.py", "*.lua") for path in folder.rglob(suffix)]
    return {name.lower(): str(path.relative_to(ROOT)) for path in files for name in _CALL.findall(path.read_text())}


def called_in_python(source: str) -> Iterator[str]:
    """Yield the command of each call of a method of redis-py, in lower case."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        name = node.func.attr
        if not hasattr(CoreCommands, name) or name.startswith("_") or name == "execute_command":
            continue
        if name not in _COMMON or ast.unparse(node.func.value).endswith(_RECEIVERS):
            yield _COMMANDS.get(name, name.removesuffix("_iter"))


def test_document_explains_every_problem() -> None:
    """The table of problems has one row per code, and no other rows."""
    (section,) = re.findall(r"## Problems\n(.*?)\n## ", DOCUMENT, re.DOTALL)
    rows = re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE)
    assert sorted(rows) == sorted({*CODES, *CONNECTION_CODES})


def test_document_names_every_problem_that_can_be_accepted() -> None:
    """The sentence lists the codes of the setting, and each is a problem that does not stop the fleet."""
    (sentence,) = re.findall(r"([^.]*) can be accepted\.", " ".join(DOCUMENT.split()))
    assert sorted(re.findall(r"`([a-z-]+)`", sentence)) == sorted(get_args(AcceptableRedisProblem))
    assert {*get_args(AcceptableRedisProblem)} < {*CODES} - {*WRITE_CODES}


def test_acl_allows_every_command_of_the_scripts() -> None:
    """Redis checks each command in a script, and some scripts run only rarely."""
    missing = {name: file for name, file in called_in_scripts().items() if name not in allowed()}
    assert missing == {}


def test_acl_allows_every_command_of_the_clients() -> None:
    """Some commands are sent only rarely, so a test with processes may not send all of them."""
    missing = {
        command: str(path.relative_to(ROOT))
        for folder in _FOLDERS
        for path in folder.rglob("*.py")
        for command in called_in_python(path.read_text(encoding="utf-8"))
        if command not in allowed()
    }
    assert missing == {}


def test_command_of_a_client_is_found() -> None:
    """The search finds methods with the name of a command and with another name, and ignores those of other objects."""
    source = "self._client.sismember(a)\nclient.keys()\npipeline.delete(a)\nclient.scan_iter()\nfields.keys()\n"
    assert sorted(called_in_python(source)) == ["del", "keys", "scan", "sismember"]


def test_acl_allows_no_administration() -> None:
    """The user cannot configure, stop or empty the server, read other keys or see other clients."""
    assert not {word.partition("|")[0] for word in allowed()} & {
        *("config", "shutdown", "flushall", "flushdb", "acl", "client", "debug", "keys", "monitor", "replicaof"),
        "@all",
    }
    assert "~*" not in DOCUMENT
    assert "allkeys" not in DOCUMENT
