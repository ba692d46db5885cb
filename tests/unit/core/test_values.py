"""Values of settings, in the form in which a person writes them."""

import json

import pytest
from pydantic import TypeAdapter, ValidationError

from whimbrel.core.values import Duration, HostPort, Secret, Size


@pytest.mark.parametrize(
    ("text", "value", "shown"),
    [
        ("0", 0, "0"),
        ("1", 1, "1"),
        ("1023", 1023, "1023"),
        ("50M", 50 << 20, "50M"),
        ("50 m", 50 << 20, "50M"),
        ("1KB", 1024, "1K"),
        ("1KiB", 1024, "1K"),
        ("1024K", 1 << 20, "1M"),
        ("3g", 3 << 30, "3G"),
        ("2T", 2 << 40, "2T"),
        (" 7 ", 7, "7"),
    ],
)
def test_sizes(text: str, value: int, shown: str) -> None:
    size = Size(text)
    assert (size, str(size)) == (value, shown)
    assert Size(str(size)) == size


@pytest.mark.parametrize(
    "text", ["", "M", "-1", "1.5M", "1X", "1MM", "0x10", "1 2", "1" * 16, "١", "1e3", "9" * 15 + "T"]
)
def test_what_is_no_size(text: str) -> None:
    if text == "١":  # A digit of another script is read as the digit it is, or refused; never as something else.
        try:
            assert Size(text) == 1
        except ValueError:
            pass
        return
    with pytest.raises(ValueError):
        Size(text)


@pytest.mark.parametrize(
    ("text", "seconds", "shown"),
    [
        ("0", 0, "0s"),
        ("90s", 90, "90s"),
        ("90", 90, "90s"),
        ("60s", 60, "1m"),
        ("15m", 900, "15m"),
        ("15min", 900, "15m"),
        ("1.5h", 5400, "90m"),
        ("4h", 14400, "4h"),
        ("5D", 432000, "5d"),
        ("2w", 1209600, "2w"),
        ("250ms", 0.25, "0.25s"),
        ("0.5s", 0.5, "0.5s"),
    ],
)
def test_durations(text: str, seconds: float, shown: str) -> None:
    duration = Duration(text)
    assert (float(duration), str(duration)) == (seconds, shown)
    assert float(Duration(str(duration))) == seconds


@pytest.mark.parametrize("text", ["", "s", "-1s", "1y", "1 2s", "1hh", "inf", "nan", "1e3s", "1:30"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError):
        Duration(text)


def test_a_secret_is_shown_nowhere_but_where_it_is_asked_for() -> None:
    secret = Secret("hunter2")
    shown = [repr(secret), str(secret), f"{secret}", f"{secret:>20}", "%s" % secret, "%r" % secret, repr([secret])]  # noqa: UP031
    shown.append(json.dumps(TypeAdapter(Secret).dump_python(secret, mode="json")))
    shown.append(TypeAdapter(Secret).dump_json(secret).decode())
    assert all("hunter2" not in text and "****" in text for text in shown), shown
    assert secret.reveal() == "hunter2" and type(secret.reveal()) is str
    assert str(Secret("")) == "" and repr(Secret("")) == "Secret('')"


def test_a_secret_in_a_model_stays_what_it_is() -> None:
    adapter = TypeAdapter(Secret)
    assert adapter.validate_python("x").reveal() == "x"
    assert adapter.validate_python(Secret("x")).reveal() == "x"


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:25", "127.0.0.1", 25),
        ("[::1]:143", "::1", 143),
        ("*:993", "*", 993),
        ("localhost:0", "localhost", 0),
        (" mail.example.org:65535 ", "mail.example.org", 65535),
        ("*:0025", "*", 25),
    ],
)
def test_hosts_with_ports(text: str, host: str, port: int) -> None:
    value = HostPort(text)
    assert (value.host, value.port) == (host, port)
    assert HostPort(str(value)) == value


@pytest.mark.parametrize(
    "text", ["", ":", "25", ":25", "x:", "x:y", "x:-1", "x:65536", "x:1.5", "a b:25", "*.x:25", "x:²", "http://x:25"]
)
def test_what_is_no_host_with_port(text: str) -> None:
    with pytest.raises(ValueError):
        HostPort(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[::ffff:127.0.0.1]:25", "127.0.0.1:25"),
        ("[::FFFF:7f00:1]:25", "127.0.0.1:25"),
        ("[::ffff:0.0.0.0]:25", "0.0.0.0:25"),
        ("[127.0.0.1]:25", "127.0.0.1:25"),
        ("[0:0:0:0:0:0:0:1]:25", "[::1]:25"),
        ("[2001:DB8::0]:25", "[2001:db8::]:25"),
        ("[fe80::1%eth0]:25", "[fe80::1%eth0]:25"),
    ],
)
def test_an_address_to_listen_on_has_one_spelling(text: str, value: str) -> None:
    assert str(HostPort(text)) == value
    assert HostPort(value).host == value.rpartition(":")[0].strip("[]")


@pytest.mark.parametrize("text", ["127.1:25", "0:25", "[1::2::3]:25", "010.0.0.1:25", "[::ffff:300.0.0.1]:25"])
def test_what_only_the_c_library_takes_for_an_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an IP address"):
        HostPort(text)


@pytest.mark.parametrize(("kind", "bad"), [(Size, "x"), (Duration, "x"), (HostPort, "x")])
def test_models_tell_what_is_wrong(kind: type, bad: str) -> None:
    with pytest.raises(ValidationError, match="such as"):
        TypeAdapter(kind).validate_python(bad)
    assert TypeAdapter(kind).json_schema()["format"] in ("size", "duration", "hostport")
