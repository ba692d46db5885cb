"""What the host says: certificates by their files."""

from pathlib import Path

import pytest

from tests.support.fakes import FakeConfig
from whimbrel.app.machine.host import HostMachine
from whimbrel.backends.tls import authority
from whimbrel.backends.tls.contexts import SELF_SIGNED
from whimbrel.backends.tls.settings import TlsSettings
from whimbrel.services.health.check import Holding, QueueFiles


def machine(folder: Path, settings: TlsSettings) -> HostMachine:
    return HostMachine(FakeConfig(settings), folder, folder, folder)


def test_the_certificate_that_is_shown_is_read_with_names_and_end(tmp_path: Path) -> None:
    pair = authority.self_signed(["mail.example.org", "192.0.2.1"])
    authority.write_file(tmp_path / SELF_SIGNED, pair.key + pair.certificate, 0o600)
    (shown,) = machine(tmp_path, TlsSettings()).certificates()
    assert (shown.path, set(shown.names), shown.self_signed, shown.fault) == (
        "", {"mail.example.org", "192.0.2.1"}, True, "",
    )  # fmt: skip
    assert shown.ends > 1_700_000_000


@pytest.mark.parametrize(("content", "fault"), [(None, "No such file or directory"), (b"x", "no certificate in PEM")])
def test_a_certificate_that_cannot_be_read_says_why(tmp_path: Path, content: bytes | None, fault: str) -> None:
    file = tmp_path / "cert.pem"
    if content is not None:
        file.write_bytes(content)
    (shown,) = machine(tmp_path, TlsSettings(certificate=str(file))).certificates()
    assert (shown.path, shown.file) == ("tls/certificate", str(file))
    assert fault in shown.fault


def test_this_machine_has_memory_a_disk_and_its_own_addresses(tmp_path: Path) -> None:
    host = machine(tmp_path, TlsSettings())
    memory, disk = host.memory(), host.disk()
    assert 0 < memory.available <= memory.total
    assert 0 < disk.free <= disk.total
    assert disk.folder == str(tmp_path)
    assert host.own("127.0.0.1")
    assert not host.own("192.0.2.77")


def test_queue_and_logs_are_counted_and_what_was_put_aside_is_told_apart(tmp_path: Path) -> None:
    for folder in ("queue", "logs", "queue/lost"):
        (tmp_path / folder).mkdir()
    for name, size in (
        ("queue/a.eml", 3), ("queue/lost/b.eml", 4), ("logs/mail.log", 10), ("logs/mail.log.1", 20),
        ("logs/mail.log.1.idx", 5), ("logs/mail.log.idx", 2),
    ):  # fmt: skip
        (tmp_path / name).write_bytes(b"x" * size)
    host = HostMachine(FakeConfig(TlsSettings()), tmp_path, tmp_path / "queue", tmp_path)
    assert list(host.holdings()) == [Holding("indexes", 0), Holding("queue", 7), Holding("logs", 37, 25, 2)]


def test_files_of_the_queue_that_were_not_added_just_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lost").mkdir()
    for name in ("a-2.eml", "a-1.eml", "queue.db", "lost/a-0.eml"):
        (tmp_path / name).touch()
    host = machine(tmp_path, TlsSettings())
    assert host.queue() == QueueFiles((), ())
    monkeypatch.setattr("time.time", lambda: (tmp_path / "lost").stat().st_ctime + 60)
    assert host.queue() == QueueFiles(("a-1", "a-2"), ("a-0",))
    assert machine(tmp_path / "gone", TlsSettings()).queue() == QueueFiles((), ())
