"""Whatever another program writes into any key of FinanceHub, nothing that reads Redis fails (F5)."""

import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pytest
import redis
import structlog
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from financehub_cli.app import app
from support.full_redis import INTACT, UNUSED, Readers, fill, is_intact, readers
from support.hostile_keys import TYPES, replace_key
from support.hostile_messages import hostile_variants, json_values, with_hostile_field

#: Commands that list or change what any program may have written.
COMMANDS = (
    ["status"],
    ["stats"],
    ["stats", "task"],
    ["version"],
    ["workers"],
    ["runs", "list"],
    ["runs", "list", "--queue", "q", "--state", "dead-lettered", "--since", "1d"],
    ["runs", "show", "task-"],
    ["schedules", "list"],
    ["schedules", "show", "default/demo"],
    ["schedules", "trigger", "default/demo", "--no-wait"],
    ["schedules", "pause", "default/demo", "--reason", "maintenance"],
    ["schedules", "resume", "default/demo"],
    ["schedules", "pause", "--all", "--reason", "maintenance"],
    ["schedules", "resume", "--all"],
    ["dead-letters", "list"],
    ["dead-letters", "show", "letter-q"],
    ["dead-letters", "requeue", "--all", "--yes"],
    ["dead-letters", "purge", "--all", "--yes"],
    ["breakers", "list"],
    ["breakers", "reset", "yahoo"],
    ["quotes"],
    ["bars", "--last", "3"],
    ["history", "AAPL"],
    ["indicators"],
    ["indicators", "--last", "3"],
    ["news"],
    ["quarantine"],
    ["assets", "list", "--all"],
    ["assets", "export"],
    ["assets", "remove", "AAPL"],
)

texts = st.sampled_from(
    ["", "nan", "inf", "-5", "1e999", "9" * 400, "0x10", " 7 ", "running", "\x1b[31m\n", "[" * 5_000]
)
json_texts = json_values.map(json.dumps)
contents = st.binary(max_size=20) | texts.map(str.encode) | json_texts.map(str.encode)
scores = st.floats(allow_nan=False) | st.sampled_from([0.0, -1.0, 1e15, float("inf"), float("-inf")])


class Redis(NamedTuple):
    """A Redis that contains every kind of key, and what reads it."""

    client: "redis.Redis"
    url: str
    dumps: Mapping[bytes, tuple[bytes, int]]
    readers: Readers

    def restore(self) -> None:
        """Put every key back."""
        self.client.flushdb()
        pipeline = self.client.pipeline(transaction=False)
        for key, (dump, ttl) in self.dumps.items():
            pipeline.restore(key, ttl, dump)
        pipeline.execute()


@pytest.fixture
def full(redis_url: str, redis_client: "redis.Redis") -> Redis:
    """A Redis that contains every kind of key."""
    fill(redis_client, redis_url)
    names = sorted(set(redis_client.keys()) - {key.encode() for key in UNUSED})
    dumps = {key: (redis_client.dump(key), max(0, redis_client.pttl(key))) for key in names}
    return Redis(redis_client, redis_url, dumps, readers(redis_client, redis_url))


def damage_entry(client: "redis.Redis", key: bytes, data: st.DataObject) -> None:
    """Change an entry of a key, or add one. Entries of the records that must stay visible are not changed."""
    content, type_ = data.draw(contents), client.type(key)
    if type_ == b"string":
        client.set(key, content)
    elif type_ == b"hash":
        names = sorted(name for name in client.hkeys(key) if not is_intact(name))
        client.hset(key, data.draw(st.sampled_from(names) | contents if names else contents), content)
    elif type_ == b"zset":
        members = sorted(member for member in client.zrange(key, 0, -1) if not is_intact(member))
        member = data.draw(st.sampled_from(members) | contents if members else contents)
        client.zadd(key, {member: data.draw(scores)})
    elif type_ == b"set":
        client.sadd(key, content)
    else:
        client.lpush(key, content)


def damage_field(client: "redis.Redis", key: bytes, data: st.DataObject) -> None:
    """Change a value in a JSON record of a key, at any depth. Other entries of the key are changed as a whole."""

    def choose(values: Sequence[Any]) -> Any:
        return data.draw(st.sampled_from(values))

    type_, name, raw = client.type(key), b"", None
    if type_ == b"string":
        raw = client.get(key)
    elif type_ == b"hash" and (names := sorted(name for name in client.hkeys(key) if not is_intact(name))):
        name = choose(names)
        raw = client.hget(key, name)
    changed = None if raw is None else with_hostile_field(raw, choose)
    if changed is None:
        damage_entry(client, key, data)
    elif type_ == b"string":
        client.set(key, changed)
    else:
        client.hset(key, name, changed)


def read_all(full: Redis, *, intact: bool) -> None:
    """Call every reader, and check that the records that nobody damaged are visible."""
    for name, read in full.readers.items():
        result = read()
        if intact and name in INTACT:
            assert INTACT[name] in repr(result), f"{name}: a damaged record hides another one"
        if name == "health report":
            assert "report" not in {check.name for check in result.checks}, "the checks of the health report fail"
        if name == "snapshot":
            assert result.failures == {}, "a part of the health report could not be read"


#: A failing example is not made smaller, because that takes minutes.
property_of_redis = settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@given(data=st.data())
@property_of_redis
def test_every_reader_with_any_entry_shows_the_other_records(full: Redis, data: st.DataObject):
    """Any bytes and any JSON in any entry cost at most the record that the entry belongs to."""
    full.restore()
    for key in data.draw(st.lists(st.sampled_from([key for key in full.dumps if not is_intact(key)]), max_size=4)):
        damage_entry(full.client, key, data)
    read_all(full, intact=True)


@given(data=st.data())
@property_of_redis
def test_every_reader_with_any_field_shows_the_other_records(full: Redis, data: st.DataObject):
    """Infinite and huge numbers, null and other types in a JSON record cost at most this record."""
    full.restore()
    names = [key for key in full.dumps if not is_intact(key) and full.client.type(key) in {b"string", b"hash"}]
    for key in data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=8)):
        damage_field(full.client, key, data)
    read_all(full, intact=True)


def test_every_reader_with_each_hostile_value_in_each_field_shows_the_other_records(full: Redis):
    """Each value of each JSON record has been each kind of hostile value once, one of every record at a time."""
    records: dict[tuple[bytes, bytes | None], list[bytes]] = {}
    for key in (key for key in full.dumps if not is_intact(key)):
        type_ = full.client.type(key)
        if type_ == b"string":
            records[key, None] = hostile_variants(full.client.get(key) or b"")
        elif type_ == b"hash":
            for name, raw in full.client.hgetall(key).items():
                if not is_intact(name):
                    records[key, name] = hostile_variants(raw)
    assert sum(map(bool, records.values())) > 20
    for number in range(max(map(len, records.values()))):
        full.restore()
        for (key, name), variants in records.items():
            if number < len(variants) and name is None:
                full.client.set(key, variants[number])
            elif number < len(variants):
                full.client.hset(key, name, variants[number])
        read_all(full, intact=True)


@pytest.mark.parametrize("type_", TYPES)
def test_every_reader_with_keys_of_another_type_goes_on(full: Redis, type_: str):
    """Each key in turn has another type, some at a time. No reader fails, and the health report has all its parts."""
    names = [key for key in full.dumps if full.client.type(key).decode() != type_]
    for start in range(7):
        full.restore()
        for key in names[start::7]:
            replace_key(full.client, key, type_)
        read_all(full, intact=False)


class _CurrentStderr(io.TextIOBase):
    """What sys.stderr is at each write. A logger lives longer than the stream of one command, which is closed."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)


@pytest.fixture
def _log_on_stderr() -> Iterator[None]:
    """Log to stderr, as the command line does."""
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(_CurrentStderr()))
    yield
    structlog.reset_defaults()


def call(full: Redis, arguments: list[str]) -> Any:
    """Run a command, and check that it ends without a traceback."""
    result = CliRunner().invoke(app, arguments, env={"REDIS_URL": full.url})
    assert result.exception is None or isinstance(result.exception, SystemExit), arguments
    assert result.exit_code in {0, 1, 2}, f"{arguments}: {result.stderr}"  # 2: what it names does not exist any more
    assert result.stdout.replace("\n", "").isprintable(), arguments
    return result


@pytest.mark.usefixtures("_log_on_stderr")
@given(data=st.data())
@settings(property_of_redis, max_examples=15)
def test_every_command_with_any_key_ends_with_a_result(full: Redis, data: st.DataObject):
    """No command ends with a traceback or with the exit code of a Redis that does not answer."""
    full.restore()
    names = st.sampled_from(list(full.dumps))
    for key in data.draw(st.lists(names, max_size=3)):
        damage_entry(full.client, key, data)
    for key in data.draw(st.lists(names, max_size=3)):
        replace_key(full.client, key, data.draw(st.sampled_from(list(TYPES))))
    for arguments in data.draw(st.lists(st.sampled_from(COMMANDS), min_size=4, max_size=4, unique_by=tuple)):
        if data.draw(st.booleans()):
            call(full, arguments)
        elif output := call(full, [*arguments, "--json"]).stdout:
            json.loads(output)


@pytest.mark.usefixtures("_log_on_stderr")
@pytest.mark.parametrize("type_", TYPES)
def test_every_command_with_keys_of_another_type_ends_with_a_result(full: Redis, type_: str):
    """Each key in turn has another type, a fifth of them at a time. No command ends with a traceback."""
    names = [key for key in full.dumps if full.client.type(key).decode() != type_]
    # A key of the right type may have members and scores that no process of ours writes.
    same = [key for key in full.dumps if key not in names]
    for start in range(5):
        for arguments in COMMANDS:
            full.restore()
            for key in [*names[start::5], *same[start::5]]:
                replace_key(full.client, key, type_)
            if output := call(full, [*arguments, "--json"]).stdout:
                json.loads(output)
