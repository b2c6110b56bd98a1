"""URLs of Redis: every accepted one can be connected to, and no refusal shows a part of a password."""

import itertools
from urllib.parse import quote

import pytest
import redis
from hypothesis import example, given
from hypothesis import strategies as st

from financehub_shared.core.errors import ConfigError
from financehub_shared.core.redis_url import Login, RedisUrl, Scheme, Tls
from financehub_shared.core.redis_url_parser import RedisUrlError, parse_redis_url, redis_address
from financehub_shared.core.settings import load_settings
from financehub_shared.logging import Redactor, known_secrets
from financehub_shared.redis.client import connect, connect_async

ACCEPTED = {
    "redis://h": RedisUrl(Scheme.TCP, (("h", 6379),)),
    "redis://h/": RedisUrl(Scheme.TCP, (("h", 6379),)),
    "redis://h:1/3": RedisUrl(Scheme.TCP, (("h", 1),), db=3),
    "redis://h?db=3": RedisUrl(Scheme.TCP, (("h", 6379),), db=3),
    "redis://@h": RedisUrl(Scheme.TCP, (("h", 6379),)),
    "redis://:@h": RedisUrl(Scheme.TCP, (("h", 6379),)),
    "redis://u@h": RedisUrl(Scheme.TCP, (("h", 6379),), login=Login("u")),
    "redis://u%40x:p%2F%3A%25@h": RedisUrl(Scheme.TCP, (("h", 6379),), login=Login("u@x", "p/:%")),
    "redis://:a:b@h": RedisUrl(Scheme.TCP, (("h", 6379),), login=Login(None, "a:b")),
    "redis://:%C3%A9@h": RedisUrl(Scheme.TCP, (("h", 6379),), login=Login(None, "é")),
    "redis://[::1]": RedisUrl(Scheme.TCP, (("::1", 6379),)),
    "redis://[fd00::5]:7000/1": RedisUrl(Scheme.TCP, (("fd00::5", 7000),), db=1),
    "redis://my_redis.ns.svc.cluster.local.:1": RedisUrl(Scheme.TCP, (("my_redis.ns.svc.cluster.local.", 1),)),
    "rediss://h": RedisUrl(Scheme.TLS, (("h", 6379),), tls=Tls()),
    "rediss://h/0?ssl_ca_certs=/a@b%20c&ssl_check_hostname=no&ssl_cert_reqs=none": RedisUrl(
        Scheme.TLS, (("h", 6379),), tls=Tls(ca_certs="/a@b c", cert_reqs="none", check_hostname=False)
    ),
    "rediss://h?ssl_certfile=/c&ssl_keyfile=/k": RedisUrl(
        Scheme.TLS, (("h", 6379),), tls=Tls(certfile="/c", keyfile="/k")
    ),
    "unix:///run/r.sock": RedisUrl(Scheme.UNIX, path="/run/r.sock"),
    "unix://u:p@/run/a%20b.sock?db=2": RedisUrl(Scheme.UNIX, path="/run/a b.sock", db=2, login=Login("u", "p")),
    "redis+sentinel://a/mymaster": RedisUrl(Scheme.SENTINEL, (("a", 26379),), service="mymaster"),
    "redis+sentinel://u:p@a,b:1,[::1]:2/my%2Fmaster/4?sentinel_username=s&sentinel_password=q%40": RedisUrl(
        Scheme.SENTINEL,
        (("a", 26379), ("b", 1), ("::1", 2)),
        service="my/master",
        db=4,
        login=Login("u", "p"),
        sentinel_login=Login("s", "q@"),
    ),
    "rediss+sentinel://a/m?db=1&ssl_ca_certs=/ca": RedisUrl(
        Scheme.SENTINEL_TLS, (("a", 26379),), service="m", db=1, tls=Tls(ca_certs="/ca")
    ),
}

REFUSED = {
    "": "should be a URL",
    "h:6379": "should be a URL",
    "redis:h": "should be a URL",
    "http://h": "should be a URL of Redis",
    "REDIS://h": "should be in lower case: redis://",
    "redis-cluster://h": "Redis Cluster is not supported",
    "redis+cluster://h": "Redis Cluster is not supported",
    "sentinel://h/m": r"the scheme for Sentinel is redis\+sentinel://",
    "redis-sentinel://h/m": r"the scheme for Sentinel is redis\+sentinel://",
    " redis://h": "begins or ends with a space",
    "redis://h\n": "begins or ends with a space or a line break",
    "redis://h /0": "character 10 is not allowed",
    "redis://h\t/0": "character 10 is not allowed",
    "redis://:p\x00@h": "character 11 is not allowed",
    "redis://bücher": "character 10 is not allowed.*xn--",
    "redis://:\ud800@h": "character 10 is not allowed",
    "redis://": "the host is missing",
    "redis:///0": "the host is missing",
    "redis://:6379": "the host is missing",
    "redis://u:p@": "the host is missing",
    "redis://h:": "the port should be a number from 1 to 65535",
    "redis://h:0": "the port should be a number from 1 to 65535",
    "redis://h:65536": "the port should be a number from 1 to 65535",
    "redis://h:99999": "the port should be a number from 1 to 65535",
    "redis://h:-1": "the port should be a number from 1 to 65535",
    "redis://h:abc": "the port should be a number from 1 to 65535",
    "redis://h:1_0": "the port should be a number from 1 to 65535",
    "redis://[::1": "in brackets should be an IPv6 address",
    "redis://[h]": "in brackets should be an IPv6 address",
    "redis://[127.0.0.1]": "in brackets should be an IPv6 address",
    "redis://[::1]6379": "in brackets should be an IPv6 address",
    "redis://::1": r"write an IPv6 address as \[::1\]:6379",
    "redis://::1:6379": r"write an IPv6 address as \[::1\]:6379",
    "redis://a..b": "neither a host name nor an IP address",
    "redis://-a": "neither a host name nor an IP address",
    "redis://h%41": "neither a host name nor an IP address",
    f"redis://{'a' * 64}": "neither a host name nor an IP address",
    f"redis://{'a.' * 127}": "neither a host name nor an IP address",
    "redis://a,b": r"takes one host; the scheme for several Sentinels is redis\+sentinel://",
    "redis://h/five": "the database should be a number",
    "redis://h/-1": "the database should be a number",
    "redis://h/1.5": "the database should be a number",
    "redis://h/1/": "the database should be a number",
    "redis://h//1": "the database should be a number",
    "redis://h/99999999999": "the database should be a number",
    "redis://h?db=-1": "the database should be a number",
    "redis://h/1?db=1": "the database is given twice",
    "redis://h?": "the option is not known; options are db",
    "redis://h?foo=1": "the option is not known; options are db; in a user or password, write",
    "redis://h?db": "the option db has no value",
    "redis://h?db=1&db=2": "the option db is given twice",
    "redis://h?db=1&": "the option is not known",
    "redis://h?max_connections=1": "the option max_connections is not known; options are db$",
    "rediss://h?ssl_password=x": "the option ssl_password is not known",
    "redis://h?ssl_ca_certs=/ca": "the option ssl_ca_certs is not known without TLS",
    "rediss://h?ssl_cert_reqs=maybe": "ssl_cert_reqs should be required, optional or none",
    "rediss://h?ssl_check_hostname=perhaps": "ssl_check_hostname should be true or false",
    "rediss://h?ssl_keyfile=/k": "ssl_keyfile needs ssl_certfile",
    "rediss://h?ssl_ca_certs=%zz": "the option ssl_ca_certs contains a % that",
    "rediss://h?ssl_ca_certs=%00": "the option ssl_ca_certs contains a zero byte",
    "redis://h#x": "contains #",
    "redis://a@b@h": "contains more than one @",
    "redis://:p%@h": "the password contains a % that",
    "redis://:p%4@h": "the password contains a % that",
    "redis://%zz:p@h": "the user contains a % that",
    "redis://:%ff@h": "the password contains percent-encoded bytes that are not UTF-8",
    "unix://": "the path of the socket is missing",
    "unix:///": "the path of the socket is missing",
    "unix://run/r.sock": "three slashes: unix:///run/redis.sock",
    "unix:///r%00": "longer than 107 bytes or contains a zero byte",
    f"unix:///{'r' * 107}": "longer than 107 bytes or contains a zero byte",
    "redis+sentinel://a": "the name of the service that the Sentinels monitor is missing",
    "redis+sentinel://a//0": "the name of the service that the Sentinels monitor is missing",
    "redis+sentinel://a/m%20n": "the name of the service contains a space",
    "redis+sentinel://a/m/x": "the database should be a number",
    "redis+sentinel:///m": "the host is missing",
    "redis+sentinel://a,,b/m": "the host is missing",
    "redis+sentinel://a,a/m": "names the same Sentinel twice",
    "redis+sentinel://a/m?ssl_ca_certs=/ca": "ssl_ca_certs is not known without TLS",
}


@pytest.mark.parametrize(("text", "url"), ACCEPTED.items(), ids=ACCEPTED)
def test_url_of_each_form_is_parsed(text: str, url: RedisUrl) -> None:
    """Each form has the address, the login and the options that it spells out."""
    assert parse_redis_url(text) == url


@pytest.mark.parametrize(("text", "message"), REFUSED.items(), ids=map(ascii, REFUSED))
def test_malformed_url_is_refused_in_one_line(text: str, message: str) -> None:
    """The line says what to write. It begins with the variable and does not contain the URL."""
    with pytest.raises(ConfigError, match=message) as caught:
        load_settings({"DRAMATIQ_BROKER_URL": text})
    line = str(caught.value)
    assert line.startswith("DRAMATIQ_BROKER_URL=(not shown): ")
    assert line.isprintable()
    assert len(text) < 9 or text not in line


#: Words that no message contains by itself.
WORDS = ("Qxz7", "Wvk8", "Jqj9")
MARKS = (
    "",
    "/",
    "?",
    "#",
    "@",
    ":",
    "[",
    "]",
    "%",
    "%2",
    "%zz",
    "&",
    "=",
    ",",
    ";",
    "\\",
    " ",
    "\n",
    "é",
    "\ud800",
    "//",
    "?a=",
    "%00",
)
SCHEMES = (*Scheme, "REDIS", "http", "redis-cluster", "sentinel", "")


@given(
    scheme=st.sampled_from(SCHEMES),
    user=st.sampled_from(["", "user", "us/er", "us?er", *MARKS]),
    marks=st.tuples(*[st.sampled_from(MARKS)] * 4),
    rest=st.sampled_from(
        ["h", "h:1/0", "h/m/0", "a,b/m/0", "[::1", "h:99999", "h?foo=1", "h/five", "", "/run/r.sock", "h#x"]
    ),
)
def test_refusal_of_any_url_shows_no_part_of_the_password(
    scheme: str, user: str, marks: tuple[str, ...], rest: str
) -> None:
    """Whatever marks a password contains, no part of it is in the refusal or in the text form of the accepted URL."""
    first, *others = marks
    password = first + "".join(itertools.chain.from_iterable(zip(WORDS, others, strict=True)))
    shown = _outcome(f"{scheme}://{user}:{password}@{rest}")
    assert [word for word in WORDS if word.lower() in shown.lower()] == []
    assert shown.isprintable()


@pytest.mark.parametrize("text", ["redis://:Secret?part", "redis://:a?part&word", "unix:///a?part", "redis://h?part=1"])
def test_refusal_without_an_at_sign_shows_no_part_of_the_password(text: str) -> None:
    """If the @ and the host are missing, the end of the password looks like the name of an option."""
    assert "part" not in _outcome(text).removeprefix("the option")


@pytest.mark.parametrize("name", sorted({*redis.connection.URL_QUERY_ARGUMENT_PARSERS} - {"db"}))
def test_refusal_names_each_option_of_redis_py(name: str) -> None:
    """Options that redis-py reads from a URL are named in the refusal."""
    assert f"the option {name} " in _outcome(f"redis://h?{name}=1")


def _outcome(text: str) -> str:
    """Return everything that is printed about a URL."""
    try:
        url = parse_redis_url(text)
    except RedisUrlError as error:
        return str(error)
    # the user and the host are not secret, so a password that became a part of them would be a fault of the parser
    return f"{url} {url!r} {url.place}"


@given(text=st.one_of(st.text(), st.from_regex(r"(rediss?|unix|rediss?\+sentinel)://[ -~]{0,40}", fullmatch=True)))
@example("redis://h")
@example("redis+sentinel://a/m")
def test_any_text_is_refused_or_can_be_connected_to(text: str) -> None:
    """Each accepted text builds clients whose addresses the resolver and the socket accept."""
    try:
        url = parse_redis_url(text)
    except RedisUrlError:
        return
    for client in (connect(url), connect_async(url)):
        connection = client.connection_pool.make_connection()
        assert isinstance(connection, redis.connection.AbstractConnection | redis.asyncio.connection.AbstractConnection)
    for host, port in url.hosts:
        assert host.encode("idna")  # what Python does to a host name before it asks the resolver
        assert 1 <= port <= 65_535
    assert len(url.path.encode()) <= 107
    for login in (url.login, url.sentinel_login):
        (login.username or "").encode()
        (login.password or "").encode()


@given(password=st.text(st.characters(codec="utf-8"), min_size=1), user=st.text(st.characters(codec="utf-8")))
def test_escaped_login_is_read_back(password: str, user: str) -> None:
    """Any user and password can be written into a URL with percent-encoding, and the log masks the password."""
    text = f"redis://{quote(user, safe='')}:{quote(password, safe='')}@h"
    assert parse_redis_url(text).login == Login(user or None, password)


@pytest.mark.parametrize(
    "text",
    [
        "redis://:p%40sswo%72d@h",
        "unix://:p%40sswo%72d@/run/r.sock",
        "redis+sentinel://:p%40sswo%72d@a,b/m",
        "redis+sentinel://a/m?sentinel_password=p%40sswo%72d",
        "rediss+sentinel://a/m?sentinel_password=p%40sswo%72d&ssl_ca_certs=/ca",
    ],
)
def test_log_masks_the_passwords_of_each_form(text: str) -> None:
    """The log masks a password as it is written in the URL, decoded, and encoded in the usual way."""
    redact = Redactor(known_secrets(load_settings({"DRAMATIQ_BROKER_URL": text})))
    line = redact(f"a p%40sswo%72d b p@ssword c p%40ssword d {text}")
    assert [form for form in ("p%40ssw", "p@ssw") if form in line] == []


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ("", "should be a host name or an IP address"),
        ("a b", "should be a host name or an IP address"),
        ("a..b", "should be a host name or an IP address"),
        ("h:6379", "without a port; REDIS_PORT sets the port"),
        ("[::1]:6379", "without a port; REDIS_PORT sets the port"),
        ("redis://:Qxz7/Wvk8@h", "set REDIS_URL to connect to a URL"),
        ("u:Qxz7@h", "should be a host name or an IP address"),
        ("h\n", "should be a host name or an IP address"),
    ],
)
def test_invalid_host_is_refused(host: str, message: str) -> None:
    """REDIS_HOST is the name or address alone. The refusal does not repeat it, because it may contain a password."""
    with pytest.raises(ConfigError, match=message) as caught:
        load_settings({"REDIS_HOST": host})
    assert "Qxz7" not in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_ipv6_host_with_or_without_brackets_is_accepted(host: str) -> None:
    """REDIS_HOST can be an IPv6 address in both spellings."""
    assert load_settings({"REDIS_HOST": host}).store_url == redis_address("::1", 6379, 0)


@pytest.mark.parametrize("password", ["line\n", "\udcff", "\x00"])
def test_password_that_cannot_be_sent_is_refused(password: str) -> None:
    """A line break, which a file often adds, and bytes that are not UTF-8 are refused at the start."""
    with pytest.raises(ConfigError, match=r"REDIS_PASSWORD=\(not shown\): contains a control character"):
        load_settings({"REDIS_PASSWORD": password})


@pytest.mark.parametrize(
    ("url", "password"),
    [
        ("redis+sentinel://u@a,b:1/m/2?sentinel_password=s", "p@/"),
        ("rediss+sentinel://a/m", "p"),
        ("unix:///run/r.sock", "p"),
    ],
)
def test_password_of_its_own_variable_is_that_of_the_server(url: str, password: str) -> None:
    """REDIS_PASSWORD belongs to the server in every form, and not to the Sentinels."""
    settings = load_settings({"REDIS_URL": url, "REDIS_PASSWORD": password})
    assert settings.store_url.login.password == password
    assert settings.store_url.sentinel_login == parse_redis_url(url).sentinel_login


@pytest.mark.parametrize("value", ["0", "-1", "65536", "6379/0", "tcp://10.0.0.1:6379", ""])
def test_invalid_port_is_refused(value: str) -> None:
    """REDIS_PORT is a TCP port other than 0."""
    with pytest.raises(ConfigError, match="REDIS_PORT="):
        load_settings({"REDIS_PORT": value})


@pytest.mark.parametrize("value", ["-1", "five", "2147483648", ""])
def test_invalid_database_is_refused(value: str) -> None:
    """REDIS_DB is a number that Redis can read."""
    with pytest.raises(ConfigError, match="REDIS_DB="):
        load_settings({"REDIS_DB": value})
