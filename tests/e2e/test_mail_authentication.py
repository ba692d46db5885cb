"""SPF, DKIM and DMARC on the whole server, against a name server with a zone for the test."""

import contextlib
import imaplib
import json
import smtplib
import socket
import stat
from collections.abc import Callable

import pytest

from tests.support.dkim_keys import name, record, rsa_key
from tests.support.dns_server import DnsServer
from tests.support.mail import eventually, imap, letter, send, subjects, submit
from tests.support.server import Running, command
from tests.support.sinks import SmtpSink
from whimbrel.mail.auth.dkim.signing import Signing

Maker = Callable[..., contextlib.AbstractContextManager[Running]]
USER = "user1@example.test"
ON = dict.fromkeys(("filters/spf/enabled", "filters/dkim/enabled", "filters/dmarc/enabled"), "true")


def signed(content: bytes, domain: str) -> bytes:
    signing = Signing()
    signing.feed(content)
    return signing.fields([rsa_key(domain)], 1_700_000_000) + content


def whole(server: Running, subject: str, folder: str = "INBOX") -> bytes:
    for _ in eventually():
        with contextlib.suppress(imaplib.IMAP4.error):  # Junk is made when something goes there.
            if subject in subjects(server, USER, folder):
                break
    with imap(server, USER, folder) as client:
        _, data = client.search(None, "SUBJECT", subject)
        _, parts = client.fetch(data[0].split()[-1].decode(), "(BODY.PEEK[])")
        return next(part[1] for part in parts if isinstance(part, tuple))


def zone(dns: DnsServer) -> None:
    key = rsa_key("honest.test")
    dns.add("honest.test", "TXT", '"v=spf1 ip4:127.0.0.0/8 -all"')
    dns.add("_dmarc.honest.test", "TXT", '"v=DMARC1; p=reject"')
    text = record(key)
    dns.add(name(key), "TXT", f'"{text[:200]}" "{text[200:]}"')


def test_who_is_who_is_told_to_the_reader_and_forgeries_go_to_junk(own_server: Maker) -> None:
    with DnsServer() as dns:
        zone(dns)
        with own_server({"dns/server": [dns.address], **ON}) as server:
            sender = "ann@honest.test"
            send(server, USER, signed(letter("honest", sender=sender), "honest.test"), sender=sender)
            content = whole(server, "honest")
            field = b" ".join(content.partition(b"Authentication-Results:")[2].split()).partition(b" From:")[0]
            assert field.startswith(
                b"localhost; spf=pass smtp.mailfrom=ann@honest.test; dkim=pass header.d=honest.test"
            )
            assert b"dmarc=pass header.from=honest.test policy.dmarc=reject" in field

            forged = b"Authentication-Results: localhost; dmarc=pass header.from=honest.test\r\n"
            send(server, USER, forged + letter("forged", sender=sender), sender="x@else.test")
            content = whole(server, "forged", '"Junk E-mail"')
            assert content.count(b"Authentication-Results:") == 1
            assert b"dmarc=fail" in content
            for _ in eventually(10):
                log = (server.directory / "store" / "logs" / "spam.log").read_text()
                if "DMARC_REJECT=5" in log:
                    break
            else:
                pytest.fail(log)

            changed = signed(letter("changed", sender=sender), "honest.test").replace(b"Hello.", b"Bonjour.")
            send(server, USER, changed, sender=sender)
            assert b"dkim=fail" in whole(server, "changed")


def test_no_smuggled_end_takes_a_signature_along(own_server: Maker) -> None:
    """Bare line ends that other servers take for the end of data: nothing behind them is a message of its own, and a
    signature over what came before proves nothing."""
    with DnsServer() as dns:
        zone(dns)
        with own_server({"dns/server": [dns.address], **ON}) as server:
            good = signed(letter("first", sender="ann@honest.test"), "honest.test")
            second = b"MAIL FROM:<ann@honest.test>\r\nRCPT TO:<user1@example.test>\r\nDATA\r\n" + letter(
                "smuggled", sender="ann@honest.test"
            )
            for end in (
                b"\n.\n",
                b"\n.\r\n",
                b"\r.\r",
                b"\r.\r\n",
                b"\r\n.\r",
                b"\r\n.\n",
                b"\r\n\x00.\r\n",
                b"\n\n.\r\r\n",
            ):
                with socket.create_connection(("127.0.0.1", server.ports["smtp"]), timeout=30) as link:
                    file = link.makefile("rb")
                    file.readline()
                    hello = b"EHLO x.test\r\n"
                    link.sendall(hello)
                    while file.readline()[3:4] == b"-":
                        pass
                    for line in (b"MAIL FROM:<ann@honest.test>", b"RCPT TO:<user1@example.test>", b"DATA"):
                        link.sendall(line + b"\r\n")
                        assert file.readline()[:1] in b"23"
                    link.sendall(good + b"tail" + end + second + b"\r\n.\r\n")
                    answer = file.readline()
                    assert answer.startswith(b"550 5.") or end == b"\r\n\x00.\r\n", (end, answer)
                    link.sendall(b"QUIT\r\n")
                    assert file.readline().startswith(b"221")
            assert "smuggled" not in subjects(server, USER)
            with imap(server, USER) as client:
                _, data = client.search(None, "HEADER", "Authentication-Results", "dkim=pass")
                assert data == [b""]


def test_keys_are_made_published_and_sign(own_server: Maker) -> None:
    with SmtpSink(host="127.0.0.2") as sink, DnsServer(negative_ttl=1) as dns:
        dns.add("remote.test", "MX", "10 mx.remote.test.")
        dns.host("mx.remote.test", "127.0.0.2")
        settings = {"dns/server": [dns.address], "delivery/mx-port": str(sink.port)}
        with own_server(settings) as server:
            submit(server, USER, ["bob@remote.test"], letter("unsigned", sender=USER))
            assert b"DKIM-Signature" not in sink.wait(1)[0].content
            command(server.directory, "domain", "dkim-generate", "example.test")
            (file,) = (server.directory / "keys" / "dkim").iterdir()
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
            for line in command(server.directory, "domain", "dkim-records", "example.test").splitlines():
                owner, _, text = line.partition(" IN TXT ")
                dns.add(owner, "TXT", text)
            command(server.directory, "job", "run", "dkim-keys")
            rows = json.loads(command(server.directory, "domain", "dkim", "example.test", "--json"))["items"]
            assert {(row["state"], row["published"]) for row in rows} == {("signing", "yes")}
            for n in eventually(15):
                submit(server, USER, ["bob@remote.test"], letter(f"signed{n}", sender=USER))
                content = sink.wait(n + 2)[-1].content
                if content.startswith(b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;"):
                    break
            else:
                pytest.fail("it is not signed")
            assert content.count(b"DKIM-Signature:") == 2


def test_a_dead_name_server_holds_up_nobody(own_server: Maker) -> None:
    with DnsServer() as dns:
        dns.servfail("broken.test")
        with own_server({"dns/server": [dns.address], **ON}) as server:
            for n in range(5):
                send(server, USER, letter(f"m{n}", sender="a@broken.test"), sender="a@broken.test")
            assert b"spf=temperror" in whole(server, "m4")
            with contextlib.suppress(smtplib.SMTPException):
                send(server, USER, letter("late", sender="a@else.test"))
            assert b"spf=none" in whole(server, "late")
