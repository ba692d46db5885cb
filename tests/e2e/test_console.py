"""The console's port of a real server, by curl and by plain sockets: h1 and h2, limits, certificates, its own death."""

import asyncio
import hashlib
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from tests.support.http3 import connected as connected_by_udp
from tests.support.mail import eventually as tries
from tests.support.server import ENV, PASSWORD, Running, command, free_ports, serving, set_up
from whimbrel.backends.tls import authority

CURL = pytest.mark.skipif(not shutil.which("curl"), reason="curl is missing")


def certificate(folder: Path, name: str) -> Path:
    pair, path = authority.self_signed([name]), folder / f"{name}.pem"
    authority.write_file(path, pair.key + pair.certificate, 0o600)
    return path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("console")
    settings = {
        "server/mail-workers": "1",
        "tls/certificate": str(certificate(folder, "localhost")),
        "tls/reload-interval": "0s",
        "logs/debug": ["web"],
    }
    set_up(folder / "server", 1, free_ports(["imap", "console"]), settings)
    with serving(folder / "server") as running:
        yield running


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def connected(running: Running, *protocols: str) -> ssl.SSLSocket:
    context = trusting()
    if protocols:
        context.set_alpn_protocols(list(protocols))
    plain = socket.create_connection(("127.0.0.1", running.ports["console"]), timeout=20)
    return context.wrap_socket(plain, server_hostname="localhost")


def get(running: Running, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPSConnection("localhost", running.ports["console"], timeout=20, context=trusting())
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def eventually(true: Callable[[], bool]) -> None:
    assert any(true() for _ in tries())


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=20)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._path))


def process(running: Running, name: str) -> int:
    status = json.loads(command(running.directory, "status", "--json"))
    return next(each["pid"] for each in status["processes"] if each["name"] == name)


@CURL
@pytest.mark.parametrize(("option", "version"), [("--http1.1", "1.1"), ("--http2", "2")])
def test_curl_is_answered_in_both_versions_by_the_same_application(server: Running, option: str, version: str) -> None:
    url = f"https://localhost:{server.ports['console']}/healthz"
    form = "%{http_version} %{http_code}"
    done = subprocess.run(
        ["curl", "-sS", "-k", option, "-w", form, "-o", "-", url],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout.startswith("ok") and done.stdout.endswith(f"{version} 200")


def test_alpn_chooses_what_both_speak_and_http_1_1_for_who_says_nothing(server: Running) -> None:
    for offered, chosen in ((("h2", "http/1.1"), "h2"), (("http/1.1",), "http/1.1"), ((), None)):
        with connected(server, *offered) as connection:
            assert connection.selected_alpn_protocol() == chosen


def test_headers_and_pages_of_a_real_server(server: Running) -> None:
    status, headers, body = get(server, "/")
    assert status in (200, 503) and headers["x-frame-options"] == "DENY" and b"<" in body
    assert "strict-transport-security" not in headers and "server" not in headers
    assert get(server, "/", Host="evil.test")[0] == 421
    assert get(server, "/assets/..%2f..%2fmailserver.cfg")[0] == 404


def test_a_swapped_certificate_is_shown_without_a_restart(server: Running) -> None:
    def shown() -> bytes:
        with connected(server) as connection:
            return connection.getpeercert(binary_form=True) or b""

    before, path = shown(), server.directory.parent / "localhost.pem"
    pair = authority.self_signed(["localhost"])
    authority.write_file(path, pair.key + pair.certificate, 0o600)
    new = ssl.PEM_cert_to_DER_cert(pair.certificate.decode())
    assert before != new and shown() == new


def test_http_3_is_announced_answered_with_the_same_certificate_and_can_be_switched_off(server: Running) -> None:
    port = server.ports["console"]

    async def over_udp() -> tuple[int, bytes, bytes]:
        async with connected_by_udp(port) as client:
            body = json.dumps({"name": "admin", "password": PASSWORD}).encode()
            headers = {"content-type": "application/json", "origin": f"https://localhost:{port}"}
            answer = await client.post("/api/session", body, headers=headers, host=f"localhost:{port}")
            certificate = client._quic.tls._peer_certificate
            assert certificate is not None
            return answer.status, answer.body, certificate.public_bytes(Encoding.DER)

    assert get(server, "/healthz")[1]["alt-svc"] == f'h3=":{port}"; ma=3600'
    for _ in range(2):  # And with the certificate that the files have then.
        status, body, certificate = asyncio.run(over_udp())
        assert status == 200 and json.loads(body)["result"]["name"] == "admin@example.test"
        with connected(server) as connection:
            assert connection.getpeercert(binary_form=True) == certificate
        pair = authority.self_signed(["localhost"])
        authority.write_file(server.directory.parent / "localhost.pem", pair.key + pair.certificate, 0o600)
    command(server.directory, "config", "set", "services/console/http3", "no")
    eventually(lambda: "alt-svc" not in get(server, "/healthz")[1])
    assert command(server.directory, "service", "list").count("console") == 1
    command(server.directory, "config", "unset", "services/console/http3")
    eventually(lambda: "alt-svc" in get(server, "/healthz")[1])


def test_requests_too_large_or_not_http_end_their_connection_alone(server: Running) -> None:
    for said in (
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"\x16\x03\x01 no HTTP\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        b"POST /api/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\n X: folded\r\nHost: localhost\r\n\r\n",
    ):
        with connected(server, "http/1.1") as connection:
            connection.sendall(said)
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
        assert b" 200 " not in answer.split(b"\r\n")[0]
        assert not answer or answer.startswith(b"HTTP/1.1 4")
    assert get(server, "/healthz")[0] == 200


def test_a_client_over_the_limit_is_told_so_and_others_are_served_again_when_it_goes(server: Running) -> None:
    command(server.directory, "config", "set", "services/console/max-connections-per-host", "3")
    held: list[ssl.SSLSocket] = []
    try:
        eventually(lambda: _limit_known(server, held))
        status, headers, _ = get(server, "/healthz")
        assert (status, headers["retry-after"]) == (503, "10")
    finally:
        for connection in held:
            connection.close()
        command(server.directory, "config", "unset", "services/console/max-connections-per-host")
    eventually(lambda: get(server, "/healthz")[0] == 200)


def _limit_known(server: Running, held: list[ssl.SSLSocket]) -> bool:
    while len(held) < 3:
        held.append(connected(server))
    return get(server, "/healthz")[0] == 503


def test_networks_that_are_not_allowed_are_turned_away_before_a_handshake(server: Running) -> None:
    command(server.directory, "config", "set", "services/console/allow-from", "192.0.2.0/24")
    try:
        with pytest.raises(OSError):
            while True:
                connected(server).close()
    finally:
        command(server.directory, "config", "unset", "services/console/allow-from")
    eventually(lambda: _reached(server))
    security = (server.directory / "store" / "logs" / "security.log").read_text()
    assert "not in services/console/allow-from" in security


def _reached(server: Running) -> bool:
    try:
        return get(server, "/healthz")[0] == 200
    except OSError:
        return False


def test_mail_goes_on_when_the_web_process_dies_and_it_is_back(server: Running) -> None:
    with socket.create_connection(("127.0.0.1", server.ports["imap"]), timeout=20) as mail:
        assert mail.recv(4096).startswith(b"* OK")
        before = process(server, "web/1")
        os.kill(before, signal.SIGKILL)
        mail.sendall(b"a NOOP\r\n")
        assert b"a OK" in mail.recv(4096)
        eventually(lambda: _reached(server))
    eventually(lambda: process(server, "web/1") != before)


def test_the_console_is_stopped_after_a_question_that_says_how_to_get_it_back(server: Running) -> None:
    asking = UnixConnection(server.directory / "run" / "admin.sock")
    body = json.dumps({"name": "console"})
    asking.request("POST", "/api/admin/service/stop?question=1", body, {"Content-Type": "application/json"})
    question = json.loads(asking.getresponse().read())
    asking.close()
    assert "whimbrel service start console" in question["question"]
    command(server.directory, "service", "stop", "console", "--yes")
    assert not _reached(server)
    assert "stopped" in command(server.directory, "service", "list")
    command(server.directory, "service", "start", "console")
    eventually(lambda: _reached(server))


def test_a_start_tells_the_address_and_the_fingerprint_first_of_all(tmp_path: Path) -> None:
    directory, ports = tmp_path / "server", free_ports(["console"])
    set_up(directory, 1, ports, {"server/mail-workers": "1"})
    process = subprocess.Popen(
        [sys.executable, "-m", "whimbrel.app.cli", "--dir", str(directory), "serve"],
        env=ENV, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        address, fingerprint = process.stdout.readline(), process.stdout.readline()
        with connected(Running(directory, process.pid, ports, 0.0)) as connection:
            der = connection.getpeercert(binary_form=True) or b""
    finally:
        process.terminate()
        process.communicate(timeout=40)
    assert address == f"Console: https://localhost:{ports['console']}\n"
    assert fingerprint == f"Certificate SHA-256: {hashlib.sha256(der).digest().hex(':').upper()}\n"


def test_consoles_are_among_the_connections_and_can_be_ended(server: Running) -> None:
    def rows() -> list[dict[str, object]]:
        listed = command(server.directory, "connection", "list", "--service", "console", "--json")
        items: list[dict[str, object]] = json.loads(listed)["items"]
        return items

    browser = http.client.HTTPSConnection("127.0.0.1", server.ports["console"], context=trusting(), timeout=20)
    name = {"name": "admin@example.test", "password": PASSWORD}
    browser.request("POST", "/api/session", json.dumps(name), {"Content-Type": "application/json"})
    answer = browser.getresponse()
    cookie = str(answer.headers["Set-Cookie"]).partition(";")[0]
    assert (answer.status, answer.headers["whimbrel-user"]) == (200, None) and answer.read()
    browser.request("GET", "/api/session", headers={"Cookie": cookie})
    assert browser.getresponse().read()
    row = next(each for each in rows() if each["user"] == "admin@example.test")
    assert (row["address"], row["tls"], row["command"]) == ("127.0.0.1", "TLSv1.3", "")
    command(server.directory, "connection", "disconnect", str(row["id"]), "--yes")
    assert all(each["id"] != row["id"] for each in rows())
    assert browser.sock is not None
    try:
        assert browser.sock.recv(10) == b""
    except OSError:
        pass  # A reset says the same.


@CURL
def test_a_browser_may_ask_for_a_hundred_things_before_it_knows_our_limits(server: Running) -> None:
    """With fewer streams than the 100 that clients assume, the first connection broke and hung for half a minute."""
    url = f"https://127.0.0.1:{server.ports['console']}/healthz"
    words = [
        "curl",
        "-sSk",
        "--http2",
        "--parallel",
        "--parallel-max",
        "200",
        "--max-time",
        "20",
        "-w",
        "%{http_code}\n",
    ]
    for _ in range(200):
        words += ["-o", "/dev/null", url]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert set(done.stdout.split()) == {"200"}, done.stderr[-500:]
