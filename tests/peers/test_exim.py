"""Exim as a client of ours: content by BDAT (RFC 3030), several messages over one connection."""

import re
from pathlib import Path

import pytest

from tests.conftest import program
from tests.peers.test_smtp_in import Maker, arrived
from tests.support.exim import Exim
from tests.support.mail import letter
from tests.support.server import Running
from tests.support.servers import Users

pytestmark = [pytest.mark.peer("exim4"), pytest.mark.peer("unshare"), pytest.mark.root]

HEADER = b"From: sender@exim.test\r\nSubject: %b\r\nMessage-Id: <%b@exim.test>\r\n\r\n"
BODIES = {
    "dots": b".\r\n..\r\n...\r\n.x\r\nend\r\n",
    "large": b"".join(b"%07d 8-bit \xc3\xa4\xff\r\n" % number for number in range(40_000)),
    "empty": b"",
}


def exim(folder: Path, server: Running, *, tls: bool = False) -> Exim:
    return Exim(program("exim4") or "", folder / "exim", server.ports["smtp"], tls=tls)


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("body", BODIES)
def test_content_that_came_by_bdat_is_what_was_sent(
    server: Running, users: Users, tmp_path: Path, body: str, tls: bool
) -> None:
    peer, to = exim(tmp_path, server, tls=tls), [users(), users()]
    subject = f"exim-{body}-{tls}".encode()
    content = HEADER % (subject, subject) + BODIES[body]
    peer.send(content.replace(b"\r\n", b"\n"), to)
    for user in to:
        found = arrived(server, user, b"Subject: " + subject)
        assert found.partition(b"\r\n\r\n")[2] == BODIES[body]
        assert b"Message-Id: <" + subject in found
    log = peer.log()
    assert len(re.findall(r" [=-]> .* K ", log)) == 2, log  # K: by BDAT.
    assert (" X=TLS1" in log) is tls, log


def test_one_recipient_that_is_refused_does_not_harm_the_other(server: Running, users: Users, tmp_path: Path) -> None:
    peer, user = exim(tmp_path, server), users()
    peer.send(letter("half").replace(b"\r\n", b"\n"), [user, "nobody-at-all@example.test"])
    assert arrived(server, user, b"Subject: half")
    assert re.search(r" \*\* nobody-at-all@example\.test .* 550", peer.log()), peer.log()


def test_messages_that_wait_come_over_one_connection(own_server: Maker, tmp_path: Path) -> None:
    with own_server() as server:
        peer = exim(tmp_path, server)
        for number in range(4):
            peer.send(letter(f"queued{number}").replace(b"\r\n", b"\n"), ["user1@example.test"], how="-odq")
        peer.run("-qqf")
        for number in range(4):
            assert arrived(server, "user1@example.test", b"Subject: queued%d" % number)
        log = peer.log()
        assert len(re.findall(r" => .* K ", log)) == 4, log
        assert log.count("[127.0.0.1]* ") == 3, log  # *: over the connection of the one before.
