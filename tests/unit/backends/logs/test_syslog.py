"""Syslog gets copies in the form of the RFCs, and nothing that happens to it reaches those who log."""

import os
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from whimbrel.backends.logs import syslog as module
from whimbrel.backends.logs.journal import FileLog, Journal
from whimbrel.backends.logs.settings import LogFileSettings, LogFilesSettings, LogSettings, SyslogSettings
from whimbrel.backends.logs.syslog import MAX_MESSAGE, Copy, Syslog, form
from whimbrel.core.values import HostPort

AT = 1_795_539_434.25
COPY = Copy(AT, "warning", "signin.failed", "security", "[24/Nov/2026 17:57:14] Failed IMAP login: User: x")


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_record_has_the_form_of_rfc_5424(vienna: None) -> None:
    made = form(COPY, SyslogSettings(), "auth", "mx.example.org")
    assert (
        made
        == (
            f"<36>1 2026-11-24T17:57:14.250+01:00 mx.example.org whimbrel {os.getpid()} signin.failed - "
            "Failed IMAP login: User: x"
        ).encode()
    )


def test_a_record_has_the_old_form_where_that_is_wanted(vienna: None) -> None:
    pid = os.getpid()
    unix = form(COPY, SyslogSettings(form="rfc3164"), "mail", "mx.example.org")
    assert unix == f"<20>Nov 24 17:57:14 whimbrel[{pid}]: Failed IMAP login: User: x".encode()
    udp = form(COPY, SyslogSettings(form="rfc3164", transport="udp"), "local7", "mx.example.org")
    assert udp == f"<188>Nov 24 17:57:14 mx whimbrel[{pid}]: Failed IMAP login: User: x".encode()


@pytest.mark.parametrize(("level", "severity"), [("error", 3), ("warning", 4), ("info", 6), ("debug", 7)])
def test_levels_are_severities(level: str, severity: int) -> None:
    made = form(Copy(AT, level, "x", "mail", COPY.line), SyslogSettings(), "mail", "h")
    assert made.startswith(f"<{16 + severity}>1 ".encode())


def test_a_record_has_a_bound_and_stays_utf8() -> None:
    made = form(Copy(AT, "info", "e" * 99, "mail", "x" * 23 + "ü" * 9000), SyslogSettings(), "mail", "h")
    assert MAX_MESSAGE - 2 <= len(made) <= MAX_MESSAGE
    made.decode("utf-8")
    assert f" {'e' * 32} - ".encode() in made


def settings(transport: str, address: str, **more: object) -> LogSettings:
    where = {"socket": address} if transport == "unix" else {"server": HostPort(address)}
    return LogSettings(
        syslog=SyslogSettings.model_validate({"logs": ("security", "error"), "transport": transport, **where, **more}),
        files=LogFilesSettings(security=LogFileSettings(facility="authpriv")),
    )


def work(folder: Path, chosen: LogSettings, records: int = 3) -> Journal:
    journal = Journal(folder, interval=0.001)
    journal.use(lambda: chosen)
    for number in range(records):
        FileLog(journal).warning("signin.failed", service="imap", user=f"u{number}", sender_host="192.0.2.2")
    FileLog(journal).info("message.received", queue_id="1")
    FileLog(journal).info("server.started", process="mail")
    return journal


@pytest.mark.parametrize("transport", ["unix", "udp"])
def test_datagrams_carry_one_record_each_of_the_logs_that_are_chosen(tmp_path: Path, transport: str) -> None:
    with socket.socket(socket.AF_UNIX if transport == "unix" else socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.settimeout(20)
        if transport == "unix":
            server.bind(str(tmp_path / "log"))
            address = str(tmp_path / "log")
        else:
            server.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{server.getsockname()[1]}"
        journal = work(tmp_path / "logs", settings(transport, address))
        found = [server.recv(9000).decode() for _ in range(3)]
        FileLog(journal).error("server.stopping", process="x")
        journal.close()
        last = server.recv(9000).decode()
    assert [re.sub(r".* - ", "", one) for one in found] == [
        f"Failed IMAP login: User: u{number}, Sender-Host: 192.0.2.2" for number in range(3)
    ]
    assert all(one.startswith("<84>1 ") for one in found)  # authpriv.warning
    assert last.startswith("<19>1 ")  # An error of another log: mail.err


def test_tcp_counts_octets_and_connects_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAUSES", (0.01,))
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        journal = work(tmp_path / "logs", settings("tcp", f"127.0.0.1:{server.getsockname()[1]}"))
        first, _ = server.accept()
        data = b""
        while data.count(b"User: u") < 3:
            data += first.recv(9000)
        first.close()
        FileLog(journal).warning("signin.failed", service="imap", user="ü after", sender_host="192.0.2.2")
        second, _ = server.accept()
        again = b""
        while not again.endswith(b"192.0.2.2"):
            again += second.recv(9000)
        second.close()
        journal.close()
    frames = []
    while data:
        length, _, data = data.partition(b" ")
        frames.append(data[: int(length)])
        data = data[int(length) :]
    assert len(frames) == 3 and all(frame.startswith(b"<84>1 ") for frame in frames)
    length, _, rest = again.partition(b" ")
    assert int(length) == len(rest) and "User: ü after" in rest.decode()


def test_without_syslog_nobody_waits_and_what_was_dropped_is_told_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PAUSES", (0.01,))
    told: list[tuple[str, dict[str, str | int]]] = []
    chosen = settings("unix", str(tmp_path / "log"))
    syslog = Syslog(lambda: chosen, lambda event, fields: told.append((event, fields)), held=10)
    for _ in range(25):
        syslog.put(COPY)
    until(lambda: bool(told))
    assert told[0][0] == "log.syslog-down" and told[0][1]["server"] == str(tmp_path / "log")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(tmp_path / "log"))
        server.settimeout(20)
        for _ in range(10):
            server.recv(9000)
        until(lambda: len(told) == 2)
    assert told[1] == ("log.syslog-dropped", {"server": str(tmp_path / "log"), "count": 15})
    syslog.close()


def test_a_syslog_that_hangs_does_not_hold_up_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TIMEOUT", 60.0)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(tmp_path / "log"))  # Nobody reads: its buffer fills.
        journal = work(tmp_path / "logs", settings("unix", str(tmp_path / "log")), records=3000)
        begun = time.monotonic()
        journal.close()
        assert time.monotonic() - begun < 30
    assert len((tmp_path / "logs" / "security.log").read_text().splitlines()) == 3000


def test_nothing_is_sent_unless_it_is_switched_on(tmp_path: Path) -> None:
    journal = work(tmp_path / "logs", LogSettings())
    journal.close()
    assert journal._syslog._thread is None
