"""A value is tried before it is saved: each kind of test that a setting declares, and what it may not do."""

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from tests.support.fakes import MemoryLog
from tests.unit.services.admin.office import CALLS, Office
from tests.unit.services.admin.test_tools import MemoryPost, Zone
from tests.unit.services.health.ward import Ward
from whimbrel.app.settings import MailServer
from whimbrel.core.urls import SecretUrl
from whimbrel.services.admin.calls import CallError, Failure
from whimbrel.services.admin.invoke import stream
from whimbrel.services.admin.settings.settings_schema import settings_schema
from whimbrel.services.admin.settings.value_checks import CHECKS
from whimbrel.services.health.board import Board
from whimbrel.services.probing.ports import Dialled, Probes, ProbeStep

DNS_ANSWER = b"\x00\x0c\x57\x42\x81\x80" + b"\0" * 8


class Wire:
    """A connection on which this is said, whatever is asked."""

    peer, local, tls = "192.0.2.1:25", "127.0.0.1:9", None

    def __init__(self, says: list[bytes]) -> None:
        self.says, self.heard = list(says), b""

    async def read(self) -> bytes:
        return self.says.pop(0) if self.says else b""

    async def write(self, data: bytes) -> None:
        self.heard += data

    async def close(self) -> None:
        pass


class Dialler:
    def __init__(self, says: list[bytes] | None = None) -> None:
        self.says, self.called, self.wires = says, list[tuple[str, int]](), list[Wire]()

    async def open(self, host: str, port: int, *, version: str = "", server_name: str = "") -> Dialled:
        self.called.append((host, port))
        if self.says is None:
            raise ConnectionRefusedError(111, "Connection refused")
        self.wires.append(Wire(self.says))
        return Dialled(cast(Any, self.wires[-1]), lambda: ())


class Alerts:
    def __init__(self) -> None:
        self.urls: list[str] = []

    async def test_webhook(self, url: SecretUrl) -> str:
        self.urls.append(url.reveal())
        return "" if "good" in url.reveal() else "it answered 404"


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path / "office")


def tried(office: Office, path: str, *value: str, says: Any = None, zone: Zone | None = None, **more: Any) -> Any:
    """Steps, and who was called."""
    zone, dialler = zone or Zone(), says if isinstance(says, Dialler) else Dialler(says)
    probes = Probes(cast(Any, dialler), zone.names, zone, MemoryPost())
    arguments: dict[str, Any] = {"path": path, "value": value}
    arguments |= {name: more.pop(name) for name in ("beside", "secret") if name in more}

    async def work() -> list[ProbeStep]:
        ctx = office.context(probes=probes, health=Board((), Ward().context(), MemoryLog()), **more)
        return [cast(ProbeStep, step) async for step in stream(CALLS["config test"], ctx, arguments)]

    return asyncio.run(work()), dialler.called


def problems(steps: list[ProbeStep]) -> str:
    return " ".join(problem for step in steps for problem in step.problems)


def test_every_declared_test_is_there_and_every_test_is_declared() -> None:
    def names(schema: Any) -> set[str]:
        if not isinstance(schema, dict):
            return set()
        own = {schema["x-check"]} if isinstance(schema.get("x-check"), str) else set()
        return own.union(*(names(part) for part in schema.values()))

    assert names(settings_schema(MailServer)) == set(CHECKS)


def test_the_unsaved_relay_host_is_called_at_the_unsaved_port_and_never_signed_in_to(office: Office) -> None:
    greeting = [b"220 mx ESMTP\r\n", b"250 mx\r\n", b"221 bye\r\n"]
    dialler = Dialler(greeting)
    office.do("config set", path="delivery/relay-host", value=["old.example.net"])
    steps, called = tried(
        office, "delivery/relay-host", "192.0.2.1 192.0.2.2:26", says=dialler, beside=["delivery/relay-port=587"]
    )
    assert called == [("192.0.2.1", 587), ("192.0.2.2", 26)]
    assert "STARTTLS is not offered" in problems(steps)
    assert all(b"AUTH" not in wire.heard for wire in dialler.wires)
    assert office.do("config get", path="delivery/relay-host").value == "old.example.net"
    assert tried(office, "delivery/relay-host")[1] == [("old.example.net", 25)]  # Without a value: the one in use.


def test_what_would_be_refused_is_said_and_nobody_is_called(office: Office) -> None:
    for path, value, words in (
        ("delivery/relay-host", "a_b..c", "is no name or address of a host"),
        ("dns/server", "nonsense", "is not address:port"),
    ):
        steps, called = tried(office, path, value, says=[b""], alerts=Alerts())
        assert words in problems(steps) and called == []
    alerts = Alerts()
    steps, _ = tried(office, "alerts/webhook", secret="http://hooks.example.org/t0ken", alerts=alerts)
    assert "https://" in problems(steps) and alerts.urls == [] and "t0ken" not in repr(steps)


def test_a_setting_without_a_test_and_one_that_is_none(office: Office) -> None:
    with pytest.raises(CallError) as caught:
        tried(office, "smtp/max-recipients", "5")
    assert caught.value.kind is Failure.REFUSED and "has no test" in caught.value.text
    with pytest.raises(CallError):
        tried(office, "smtp/nonsense", "5")


def test_a_webhook_that_nobody_saved_gets_a_test(office: Office) -> None:
    alerts = Alerts()
    steps, _ = tried(office, "alerts/webhook", secret="https://good.example.org/t0ken", alerts=alerts)
    assert not problems(steps) and "https://good.example.org/..." in steps[0].text and "t0ken" not in repr(steps)
    steps, _ = tried(office, "alerts/webhook", secret="https://bad.example.org/t0ken", alerts=alerts)
    assert "404" in problems(steps) and "t0ken" not in repr(steps)
    assert alerts.urls == ["https://good.example.org/t0ken", "https://bad.example.org/t0ken"]
    with pytest.raises(CallError, match="--secret-file"):
        tried(office, "alerts/webhook", "https://good.example.org/t0ken", alerts=alerts)
    with pytest.raises(CallError, match="not secret"):
        tried(office, "delivery/relay-host", secret="mx.example.org", alerts=alerts)


def test_without_a_value_the_webhook_in_use_is_tried_and_not_what_is_shown_of_it(office: Office) -> None:
    office.do("config set", path="alerts/webhook", secret="https://good.example.org/all")
    office.do("config set", path="alerts/event[disk-low]/webhook", secret="https://good.example.org/disk")
    alerts = Alerts()
    for path in ("alerts/webhook", "alerts/event[disk-low]/webhook"):
        assert not problems(tried(office, path, alerts=alerts)[0])
    assert alerts.urls == ["https://good.example.org/all", "https://good.example.org/disk"]


@pytest.mark.parametrize(
    ("says", "wrong"),
    [
        ([DNS_ANSWER], ""),
        ([DNS_ANSWER[:3], DNS_ANSWER[3:]], ""),
        ([b"\x00\x0c\x57\x42\x81\x85" + b"\0" * 8], "REFUSED"),
        ([b"220 mx\r\n"], "no answer of DNS"),
        ([b"\0"], "ended the connection"),
        (None, "refused"),
    ],
)
def test_a_name_server_answers_or_does_not(office: Office, says: list[bytes] | None, wrong: str) -> None:
    said = problems(tried(office, "dns/server", "192.0.2.53:53", says=says)[0])
    assert wrong in said and bool(said) == bool(wrong)


def test_a_hostname_leads_here_and_back(office: Office) -> None:
    zone = Zone({
        ("A", "mail.example.org"): ["192.0.2.1"], ("PTR", "192.0.2.1"): ["mail.example.org"],
        ("A", "other.example.org"): ["192.0.2.1"],
    })  # fmt: skip
    assert not problems(tried(office, "smtp/hostname", "mail.example.org", zone=zone)[0])
    assert "does not lead back to other.example.org" in problems(
        tried(office, "smtp/hostname", "other.example.org", zone=zone)[0]
    )
    assert "has no address" in problems(tried(office, "smtp/hostname", "gone.example.org", zone=zone)[0])


def test_a_directory_is_looked_at(office: Office, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "full").mkdir(mode=0o755)
    (tmp_path / "full" / "x").write_text("x")
    (tmp_path / "store").mkdir(mode=0o700)
    (tmp_path / "store" / "store.id").write_text("{}")
    for name, wrong in (
        ("gone/below", "is not there"), ("file", "is no directory"), ("full", "1 other file"), ("store", ""),
    ):  # fmt: skip
        said = problems(tried(office, "store/directory", str(tmp_path / name))[0])
        assert wrong in said and bool(said) == bool(wrong), name


def test_where_mail_to_an_address_would_go(office: Office) -> None:
    assert "leads to" in tried(office, "alerts/to", "bob@elsewhere.example")[0][0].text


def test_a_proxy_is_called(office: Office) -> None:
    assert not problems(tried(office, "outgoing/proxy", "192.0.2.9:3128", says=[])[0])
    assert "cannot be reached" in problems(tried(office, "outgoing/proxy", "192.0.2.9:3128")[0])


def test_a_test_ends(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent(Dialler):
        async def open(self, host: str, port: int, *, version: str = "", server_name: str = "") -> Dialled:
            await asyncio.Event().wait()
            raise AssertionError

    monkeypatch.setattr("whimbrel.services.admin.settings.configuration.TEST_TIME", 0.01)
    assert "was ended" in problems(tried(office, "outgoing/proxy", "192.0.2.9:3128", says=Silent())[0])


def test_a_certificate_is_read(office: Office, tmp_path: Path) -> None:
    file = tmp_path / "chain.pem"
    file.write_text("no PEM")
    assert problems(tried(office, "tls/certificate", str(file))[0])
    assert "No such file" in problems(tried(office, "tls/certificate", str(tmp_path / "gone.pem"))[0])
