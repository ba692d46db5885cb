"""TLS over several workers: a session is resumed by any of them, and every one shows a new certificate."""

import os
import signal
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.mail import eventually, trusting
from tests.support.server import Running, command, free_ports, serving, set_up
from whimbrel.backends.tls import authority


def certificate(folder: Path, name: str) -> Path:
    pair, path = authority.self_signed([name]), folder / f"{name}.pem"
    authority.write_file(path, pair.key + pair.certificate, 0o600)
    return path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("tls")
    settings = {"server/mail-workers": "2", "tls/certificate": str(certificate(folder, "default.test"))}
    set_up(folder / "server", 1, free_ports(["imaps", "imap"]), settings)
    named = certificate(folder, "mail.example.test")
    command(folder / "server", "config", "set", "tls/host[mail.example.test]/certificate", str(named))
    with serving(folder / "server") as running:
        yield running


def visit(
    server: Running, context: ssl.SSLContext, session: ssl.SSLSession | None = None, name: str = "x.test"
) -> ssl.SSLSocket:
    plain = socket.create_connection(("127.0.0.1", server.ports["imaps"]), timeout=20)
    secure = context.wrap_socket(plain, server_hostname=name, session=session)
    assert secure.recv(4096)  # With TLS 1.3 the ticket comes before the greeting.
    return secure


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_every_session_is_resumed_by_whichever_worker_answers(server: Running, version: ssl.TLSVersion) -> None:
    context = trusting()
    context.minimum_version = context.maximum_version = version
    with visit(server, context) as first:
        session = first.session
    held = []
    for _ in range(20):
        secure = visit(server, context, session)
        assert secure.session_reused
        session = secure.session
        held.append(secure)  # So that all workers get some.
    for secure in held:
        secure.close()


def test_a_changed_certificate_is_shown_by_every_worker_within_seconds(server: Running) -> None:
    folder = server.directory.parent

    def shown(name: str) -> set[bytes | None]:
        held = [visit(server, trusting(), name=name) for _ in range(8)]
        found = {secure.getpeercert(binary_form=True) for secure in held}
        for secure in held:
            secure.close()
        return found

    before = shown("mail.example.test")
    assert len(before) == 1 and before != shown("default.test")
    certificate(folder, "mail.example.test")
    changed, seen = time.monotonic(), set[bytes | None]()
    for _ in eventually(20):
        seen = shown("mail.example.test")
        if not seen & before:
            break
    assert len(seen) == 1 and time.monotonic() - changed < 15
    (folder / "mail.example.test.pem").write_text("nothing")
    for _ in eventually(20):
        assert shown("mail.example.test") == seen
        if "mail.example.test.pem" in command(server.directory, "log", "tail", "error"):
            break


def test_a_replacement_of_the_processes_ends_the_life_of_all_tickets(server: Running) -> None:
    context = trusting()
    with visit(server, context) as first:
        session = first.session
    ready = server.directory / "run" / "ready.json"
    before = ready.read_text()
    os.kill(server.pid, signal.SIGHUP)
    for _ in eventually(60):
        with visit(server, context):  # None is refused meanwhile.
            pass
        if ready.read_text() != before:
            break
    with visit(server, context, session) as secure:
        assert not secure.session_reused
        session = secure.session
    with visit(server, context, session) as secure:
        assert secure.session_reused
