"""Settings that are each well formed and together wrong: refused, confirmed by words, or warned of."""

import os
import pwd
from pathlib import Path

import pytest

from tests.unit.services.admin.office import Office
from whimbrel.app.settings import MailServer
from whimbrel.backends.config import text
from whimbrel.backends.config.store import FileConfig
from whimbrel.backends.tls.authority import self_signed
from whimbrel.core.config import ConfigError, Unconfirmed
from whimbrel.core.network import reach
from whimbrel.core.settings import Gravity, Section
from whimbrel.services.admin.calls import CallError, Failure


@pytest.fixture
def config(tmp_path: Path) -> FileConfig:
    config = FileConfig(tmp_path / "mailserver.cfg", MailServer)
    config.load()
    return config


def refused(config: FileConfig, **values: object) -> str:
    """Why it is refused; empty if it is not."""
    try:
        config.check({path.replace("__", "/").replace("_", "-"): value for path, value in values.items()})
    except ConfigError as error:
        return str(error)
    return ""


def test_the_defaults_concern_nobody(config: FileConfig) -> None:
    assert config.concerns() == []


@pytest.mark.parametrize(
    "networks",
    [
        ("0.0.0.0/0",), ("::/0",), ("10.0.0.0/8", "0.0.0.0/0"), ("0.0.0.0/1", "128.0.0.0/1"), ("64.0.0.0/9",),
        tuple(f"{first}.0.0.0/8" for first in range(11, 100)), ("2000::/3",), ("2001::/16",),
        tuple(f"203.{second}.0.0/16" for second in range(17)),
    ],
)  # fmt: skip
def test_an_open_relay_needs_the_words_and_stays_red(tmp_path: Path, networks: tuple[str, ...]) -> None:
    office = Office(tmp_path / "office")
    change = {"path": "relay/allow-from", "value": list(networks)}
    for confirmed in ("", "yes", "open relay!"):
        with pytest.raises(CallError) as caught:
            office.do("config set", {"confirmed": confirmed}, **change)
        assert (caught.value.kind, caught.value.confirm) == (Failure.REFUSED, "open relay")
    assert office.settings == ""
    office.do("config set", {"confirmed": "open relay"}, **change)
    (row,) = [row for row in office.do("status").attention if row.level == "danger"]
    assert "open relay" in row.text
    assert office.do("config check").problems
    # Another change does not ask for what was confirmed already.
    office.do("config set", path="smtp/max-message-size", value=["80M"])


@pytest.mark.parametrize(
    "networks", [("10.0.0.0/8", "192.168.0.0/16", "172.16.0.0/12"), ("192.0.2.0/24",), ("2001:db8::/32",),
                 ("fc00::/7",), ("127.0.0.0/8", "::1/128"), ("203.0.113.0/24", "198.51.0.0/16")]
)  # fmt: skip
def test_networks_of_ones_own_are_no_open_relay(config: FileConfig, networks: tuple[str, ...]) -> None:
    assert not refused(config, relay__allow_from=networks)


def test_networks_that_overlap_count_once() -> None:
    assert reach(("64.0.0.0/8", "64.1.0.0/16", "64.0.0.0/8")) == (2.0**-8, 0.0)


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        ("*:2525", "*:2525", True), ("*:2525", "127.0.0.1:2525", True), ("*:2525", "[::1]:2525", True),
        ("0.0.0.0:2525", "127.0.0.1:2525", True), ("0.0.0.0:2525", "[::1]:2525", False),
        ("127.0.0.1:2525", "127.0.0.2:2525", False), ("*:2525", "*:2526", False), ("127.0.0.1:0", "127.0.0.1:0", False),
        ("localhost:2525", "127.0.0.1:2525", True), ("*:2525", "localhost:2525", True),
        ("localhost:2525", "[::1]:2525", False), ("[::1]:2525", "[0:0::1]:2525", True),
    ],
)  # fmt: skip
def test_one_port_is_not_for_two_services(config: FileConfig, one: str, other: str, clash: bool) -> None:
    assert bool(refused(config, services__smtp__listen=one, services__imap__listen=other)) is clash
    # One that is off listens nowhere.
    assert not refused(config, services__smtp__listen=one, services__lmtp__listen=other)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "x" * 70, "a b"])
def test_a_name_to_listen_at_is_one_of_this_machine(config: FileConfig, host: str) -> None:
    said = refused(config, services__imap__listen=f"{host}:2525")
    assert "no address of this machine" in said or "no name or address of a host" in said
    assert not refused(config, services__imap__listen="localhost:2525")
    off = refused(config, services__lmtp__listen=f"{host}:2525")  # What could be a name is not looked up then.
    assert not off or host != "no-such-host.invalid"


def test_digits_and_dots_to_listen_at_are_an_address(config: FileConfig) -> None:
    assert "is not an IP address" in refused(config, services__imap__listen="192.0.2.300:2525")


def test_a_user_to_run_as_is_there_and_is_not_root(config: FileConfig) -> None:
    assert "there is no user no-such-user" in refused(config, server__run_as="no-such-user")
    assert not refused(config, server__run_as="root")  # As in a container: it is only warned of.
    name = next(entry.pw_name for entry in pwd.getpwall() if entry.pw_uid)
    assert not refused(config, server__run_as=name)


def test_a_certificate_is_there_can_be_read_and_fits_its_key(config: FileConfig, tmp_path: Path) -> None:
    one, other = self_signed(("a.test",)), self_signed(("b.test",))
    files = {}
    for name, content in (("cert", one.certificate), ("key", one.key), ("other", other.key), ("text", b"hello")):
        files[name] = str(tmp_path / f"{name}.pem")
        Path(files[name]).write_bytes(content)
    assert not refused(config, tls__certificate=files["cert"], tls__private_key=files["key"])
    assert "No such file" in refused(config, tls__certificate=str(tmp_path / "none.pem"))
    assert "does not belong" in refused(config, tls__certificate=files["cert"], tls__private_key=files["other"])
    for wrong in ("text", "key", "cert"):  # A certificate without its key cannot be shown either.
        assert "PEM" in refused(config, tls__certificate=files[wrong]), wrong
    assert refused(config, tls__certificate=str(tmp_path))
    assert "whole path" in refused(config, tls__certificate="cert.pem")
    if os.geteuid():
        Path(files["key"]).chmod(0)
        assert "denied" in refused(config, tls__certificate=files["cert"], tls__private_key=files["key"])


@pytest.mark.parametrize(
    ("soft", "hard", "words"),
    [("50", "0", "write 50M"), ("1G", "100", "write 100M"), ("100M", "200M", "before anybody is warned"),
     ("1%", "2%", "before anybody is warned"), ("0", "0", ""), ("2G", "1G", ""), ("5%", "1%", ""), ("0", "200M", "")],
)  # fmt: skip
def test_limits_of_space_are_no_slips_of_the_pen(config: FileConfig, soft: str, hard: str, words: str) -> None:
    said = refused(config, space__soft_limit=soft, space__hard_limit=hard)
    assert (words in said) if words else not said


def test_what_only_worries_is_done_and_said(tmp_path: Path) -> None:
    office = Office(tmp_path / "office")
    warnings: list[str] = []
    office.do("config set", {"warnings": warnings}, path="security/plaintext-from", value=["8.8.8.0/24"])
    assert office.do("config get", path="security/plaintext-from").value == ("8.8.8.0/24",)
    (row,) = [row for row in office.do("status").attention if "plaintext-from" in row.text]
    assert row.level == "warning" and warnings == [row.text]


def test_what_was_wrong_before_stops_no_other_change(tmp_path: Path) -> None:
    path = tmp_path / "mailserver.cfg"
    path.write_text('<mailserver version="1.0"><server><run-as>no-such-user</run-as></server></mailserver>')
    config = FileConfig(path, MailServer)
    config.load()  # A start is never refused by a cross-check.
    assert [concern.gravity for concern in config.concerns()] == [Gravity.WRONG]
    assert not refused(config, smtp__max_message_size="80M")
    with pytest.raises(ConfigError):
        config.check({"server/run-as": "other-missing-user"})


def test_a_cross_check_says_words_only_with_danger(config: FileConfig) -> None:
    with pytest.raises(Unconfirmed) as caught:
        config.check({"relay/allow-from": "0.0.0.0/0"})
    assert caught.value.words == "open relay"


def _kinds(kind: type[Section]) -> list[type[Section]]:
    inner = [text.shape(kind, field).section for field in kind.model_fields]
    return [kind, *(deeper for section in inner if section is not None for deeper in _kinds(section))]


def test_no_error_shows_a_regular_expression() -> None:
    """Each pattern has a sentence, and it is what people read."""
    seen = 0
    for kind in _kinds(MailServer):
        for name, info in kind.model_fields.items():
            if not any(getattr(each, "pattern", None) for each in info.metadata):
                continue
            seen += 1
            extra = info.json_schema_extra
            assert isinstance(extra, dict) and extra.get("x-like"), (kind.__name__, name)
            if name == kind.key:
                _, faults = text.typed(kind, "\t/\x7f<>", {})
            else:
                element = next(each for each, own in kind.elements().items() if own == name)
                _, faults = text.typed(kind, "x.test" if kind.key else "", {element: "\t/\x7f<>"})
            said = " ".join(fault.text for fault in faults)
            assert faults and not any(sign in said for sign in ("^", "$", "[^", "\\d")), said
    assert seen > 15


def test_what_a_setting_is_shown_by_is_a_setting_beside_it_and_its_values() -> None:
    seen = 0
    for kind in _kinds(MailServer):
        for info in kind.model_fields.values():
            extra = info.json_schema_extra
            condition = str(extra.get("x-show-if", "")) if isinstance(extra, dict) else ""
            if not condition:
                continue
            seen += 1
            name, _, values = condition.partition(" = ")
            field = kind.field_for(name)
            assert field is not None, (kind.__name__, condition)
            if values:
                assert set(values.split(", ")) <= set(text.shape(kind, field).choices)
    assert seen >= 5
