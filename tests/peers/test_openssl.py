"""TLS with OpenSSL's own client: what a peer may try within a session."""

import smtplib
import subprocess
from subprocess import PIPE, STDOUT

import pytest

from tests.support.server import Running

GREETINGS = {
    "imaps": b"* OK",
    "pop3s": b"+OK",
    "submissions": b"220 ",
    "smtp -starttls smtp": b"250 ",  # The last line of EHLO's answer in the clear, which s_client shows.
}


@pytest.mark.peer("openssl")
@pytest.mark.parametrize("words", GREETINGS)
def test_renegotiation_is_refused_by_an_alert(server: Running, words: str) -> None:
    """RFC 9325 3.5, RFC 5246 7.2.2: TLS 1.2 lets a client ask for a new handshake as often as it likes, and each costs
    the server most."""
    name, *options = words.split()
    command = ["openssl", "s_client", "-tls1_2", "-connect", f"127.0.0.1:{server.ports[name]}", *options]
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=STDOUT) as client:
        assert client.stdout is not None
        said = [b""]
        while not said[-1].startswith(GREETINGS[words]):
            said.append(client.stdout.readline())
            assert said[-1], b"".join(said)
        rest, _ = client.communicate(b"R\n", timeout=30)  # Alone on a line it is a command to s_client.
    assert b"RENEGOTIATING" in rest and b"no renegotiation" in rest, rest
    assert client.returncode == 1
    with smtplib.SMTP("127.0.0.1", server.ports["smtp"]) as after:
        assert after.ehlo("after.test")[0] == 250
