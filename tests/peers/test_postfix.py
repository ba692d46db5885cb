"""A real Postfix on the other side: we send to it, by relay host and by MX, with TLS; it sends to us."""

import contextlib
import email
import smtplib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.dns_server import DnsServer
from tests.support.mail import eventually, letter, subjects, submit, trusting
from tests.support.postfix import Postfix, free_port, postfix_with_maildir
from tests.support.server import PASSWORD, Running

Maker = Callable[..., contextlib.AbstractContextManager[Running]]
pytestmark = [pytest.mark.peer("postfix"), pytest.mark.root, pytest.mark.xdist_group("postfix")]


def arrived(maildir: Path, peer: Postfix, count: int = 1) -> list[bytes]:
    for _ in eventually(30):
        found = sorted(maildir.glob("new/*"))
        if len(found) >= count:
            return [path.read_bytes() for path in found]
    raise AssertionError(f"nothing arrived at Postfix:\n{peer.log()}")


def tls(folder: Path) -> dict[str, str]:
    """Postfix's settings for STARTTLS with a certificate of its own."""
    from whimbrel.backends.tls import authority

    pair = authority.self_signed(["peer.test"])
    (folder / "peer.pem").write_bytes(pair.key + pair.certificate)
    return {
        "smtpd_tls_chain_files": str(folder / "peer.pem"),
        "smtpd_tls_security_level": "may",
        "smtpd_tls_loglevel": "1",
    }


def test_mail_goes_out_by_a_relay_host_with_starttls(own_server: Maker, tmp_path: Path) -> None:
    with postfix_with_maildir(tmp_path / "peer", tls(tmp_path)) as (peer, maildir):
        settings = {"delivery/relay-host": "127.0.0.1", "delivery/relay-port": str(peer.port)}
        with own_server(settings) as server:
            body = "Grüße\r\n..two dots\r\n." + "y" * 500
            submit(server, "user1@example.test", ["bob@peer.test"], letter("relayed", body=body).decode().encode())
            (content,) = arrived(maildir, peer)
            assert b"Subject: relayed" in content and b"\n..two dots\n." + b"y" * 500 in content.replace(b"\r", b"")
            assert "Anonymous TLS connection established" in peer.log()
            for _ in eventually(5):  # Records are written in batches.
                if "Result: relayed" in (server.directory / "store" / "logs" / "mail.log").read_text():
                    break
            else:
                pytest.fail("the mail log does not tell that it was relayed")


@pytest.mark.parametrize("way", ["mx", "second mx", "address"])
def test_mail_goes_out_by_mx(own_server: Maker, tmp_path: Path, way: str) -> None:
    with postfix_with_maildir(tmp_path / "peer") as (peer, maildir), DnsServer() as dns:
        if way == "mx":
            dns.add("peer.test", "MX", "10 mx.peer.test.")
        elif way == "second mx":
            dns.add("peer.test", "MX", "10 dead.peer.test.")
            dns.add("peer.test", "MX", "20 mx.peer.test.")
            dns.add("dead.peer.test", "A", "127.0.0.9")
        else:
            dns.add("peer.test", "A", "127.0.0.1")
        dns.add("mx.peer.test", "A", "127.0.0.1")
        with own_server({"dns/server": [dns.address], "delivery/mx-port": str(peer.port)}) as server:
            submit(server, "user1@example.test", ["bob@peer.test"], letter("by-mx"))
            (content,) = arrived(maildir, peer)
            assert b"Subject: by-mx" in content


def test_a_null_mx_is_returned_at_once(own_server: Maker) -> None:
    with DnsServer() as dns:
        dns.add("nomail.test", "MX", "0 .")
        with own_server({"dns/server": [dns.address]}) as server:
            submit(server, "user1@example.test", ["bob@nomail.test"], letter("nowhere"))
            for _ in eventually(20):
                if subjects(server, "user1@example.test"):
                    break
            else:
                pytest.fail("no report came")


@pytest.mark.parametrize("level", ["none", "encrypt"])
def test_postfix_sends_to_us(own_server: Maker, tmp_path: Path, level: str) -> None:
    with own_server() as server:
        out = {
            "relayhost": f"[127.0.0.1]:{server.ports['smtp']}",
            "smtp_tls_security_level": level,
            "mydestination": "",
        }
        with Postfix(tmp_path / "peer", out, free_port()) as peer:
            with smtplib.SMTP("127.0.0.1", peer.port) as client:
                for number in range(5):
                    client.sendmail("a@else.test", ["user1@example.test", "user2@example.test"], letter(f"p{number}"))
            for _ in eventually(30):
                if len(subjects(server, "user1@example.test")) == 5:
                    break
            else:
                pytest.fail(f"not all arrived:\n{peer.log()}")
            assert sorted(subjects(server, "user2@example.test")) == [f"p{n}" for n in range(5)]
            log = (server.directory / "store" / "logs" / "mail.log").read_text()
            assert ("SSL: yes" in log) == (level == "encrypt")


def test_small_and_large_mail_goes_out_by_bdat_over_one_session_with_its_dsn_wishes(
    own_server: Maker, tmp_path: Path
) -> None:
    """Postfix's own smtpd counts the octets of each chunk (RFC 3030) and reads NOTIFY, ORCPT, RET and ENVID."""
    offers = {
        **tls(tmp_path),
        "smtpd_discard_ehlo_keywords": "",
        "debug_peer_list": "127.0.0.1",
        "debug_peer_level": "1",
    }
    with postfix_with_maildir(tmp_path / "peer", offers) as (peer, maildir):
        settings = {
            "delivery/relay-host": "127.0.0.1",
            "delivery/relay-port": str(peer.port),
            "delivery/per-destination": "1",
        }
        with own_server(settings) as server:
            big = "\r\n".join(f".{n} " + "x" * 70 for n in range(20_000))
            with smtplib.SMTP("127.0.0.1", server.ports["submission"], timeout=30) as client:
                client.starttls(context=trusting())
                client.login("user1@example.test", PASSWORD)
                wish = ["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;old+2Bbob@peer.test"]
                for body in ("small", big, "small again"):
                    client.sendmail(
                        "user1@example.test",
                        ["bob@peer.test"],
                        letter("bdat", body=body),
                        mail_options=["RET=FULL", "ENVID=e+2B1"],
                        rcpt_options=wish,
                    )
            contents = arrived(maildir, peer, 3)
            assert sorted(content.count(b"xxx\n") for content in contents) == [0, 0, 20_000]
            log = peer.log()
            assert log.count("smtpd") and "DATA\n" not in log
            assert "BDAT" in log and " LAST" in log
            assert "NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;old+2Bbob@peer.test" in log
            assert "RET=FULL ENVID=e+2B1" in log
            assert log.count("Anonymous TLS connection established") == 1


def test_a_postfix_without_chunking_and_pipelining_is_spoken_to_step_by_step(own_server: Maker, tmp_path: Path) -> None:
    lacks = {"smtpd_discard_ehlo_keywords": "chunking, pipelining, 8bitmime, dsn, silent-discard"}
    with postfix_with_maildir(tmp_path / "peer", lacks) as (peer, maildir):
        settings = {"delivery/relay-host": "127.0.0.1", "delivery/relay-port": str(peer.port)}
        with own_server(settings) as server:
            submit(server, "user1@example.test", ["bob@peer.test"], letter("plain", body="Gr\u00fc\u00dfe\r\n.dot"))
            (content,) = arrived(maildir, peer)
            assert b"Gr=C3=BC=C3=9Fe\n.dot\n" in content.replace(b"\r", b"")


def test_a_strict_postfix_without_8bitmime_takes_what_was_converted_for_it(own_server: Maker, tmp_path: Path) -> None:
    """Postfix refuses octets above 127 (strict_8bitmime) and would cut long lines (line_length_limit); Python's
    parser reads in its mailbox what was sent."""
    lacks = {
        "smtpd_discard_ehlo_keywords": "8bitmime, silent-discard",
        "strict_8bitmime": "yes",
        "line_length_limit": "1000",
    }
    blob = bytes(range(256)) * 1000
    text = "Gr\u00fc\u00dfe " * 300 + "\r\n-- \r\nEnde\r\n"
    inner = letter("inner", body="b\u00f6se").replace(b"\r\n\r\n", b"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n", 1)
    parts = [
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + text.encode(),
        b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + inner,
        b"Content-Type: application/x\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + blob.translate(None, b"\r\n"),
    ]
    kind = b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    body = b"".join(b"--b\r\n%b\r\n" % part for part in parts) + b"--b--\r\n"
    with postfix_with_maildir(tmp_path / "peer", lacks) as (peer, maildir):
        settings = {"delivery/relay-host": "127.0.0.1", "delivery/relay-port": str(peer.port)}
        with own_server(settings) as server:
            content = letter("tree").partition(b"\r\n\r\n")[0] + b"\r\n" + kind + body
            submit(server, "user1@example.test", ["bob@peer.test"], content)
            (taken,) = arrived(maildir, peer)
            assert taken.isascii() and max(map(len, taken.split(b"\n"))) <= 998
            leaves = [part for part in email.message_from_bytes(taken).walk() if not part.is_multipart()]
            found = [leaf.get_payload(decode=True) for leaf in leaves]
            assert [leaf["Content-Transfer-Encoding"] for leaf in leaves] == ["quoted-printable"] * 2 + ["base64"]
            assert found[0] == text.replace("\r", "").encode() and found[1] == "b\u00f6se\n".encode()
            assert found[2] == blob.translate(None, b"\r\n")
