"""Mail goes out: by MX in order, over both families, over sessions that are kept, by relay hosts of senders."""

import contextlib
import socket
from collections.abc import Callable

import pytest

from tests.support.dns_server import DnsServer
from tests.support.mail import eventually, letter, subjects, submit
from tests.support.server import Running
from tests.support.sinks import SmtpSink

Maker = Callable[..., contextlib.AbstractContextManager[Running]]
ANNA = "user1@example.test"


def log_of(server: Running, words: str) -> str:
    """The line of the mail log with `words` in it."""
    for _ in eventually(10):
        text = (server.directory / "store" / "logs" / "mail.log").read_text()
        if found := [line for line in text.splitlines() if words in line]:
            return found[-1]
    raise AssertionError(f"the mail log does not say {words!r}:\n{text}")


def test_the_first_mx_that_takes_it_has_it_over_a_session_that_is_kept(own_server: Maker) -> None:
    with SmtpSink(host="127.0.0.2") as good, DnsServer() as dns:
        dns.add("remote.test", "MX", "10 refuses.remote.test.", "20 alias.remote.test.")
        dns.host("refuses.remote.test", "127.0.0.3")
        dns.add("alias.remote.test", "CNAME", "good.remote.test.")  # RFC 5321 5.1 forbids it, and it is found.
        dns.host("good.remote.test", "127.0.0.2")
        settings = {"dns/server": [dns.address], "delivery/mx-port": str(good.port), "delivery/per-destination": "1"}
        with own_server(settings) as server:
            for n in range(4):
                submit(server, ANNA, ["bob@remote.test"], letter(f"m{n}"))
            good.wait(4)
            assert good.connections == 1
            line = log_of(server, "Recipient: <bob@remote.test>, Result: relayed")
            assert "alias.remote.test[127.0.0.2]" in line and "Verified: no" in line


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 on this machine")
def test_a_dead_ipv6_address_does_not_keep_mail_from_ipv4(own_server: Maker) -> None:
    with SmtpSink(host="127.0.0.2") as sink, DnsServer() as dns:
        dns.add("remote.test", "MX", "10 mx.remote.test.")
        dns.host("mx.remote.test", "2001:db8::dead", "127.0.0.2")
        settings = {"dns/server": [dns.address], "delivery/mx-port": str(sink.port)}
        with own_server(settings) as server:
            submit(server, ANNA, ["bob@remote.test"], letter("both"))
            assert sink.wait()[0].recipients == ["bob@remote.test"]


def test_a_domain_that_takes_no_mail_is_reported_at_once(own_server: Maker) -> None:
    with DnsServer() as dns:
        dns.null_mx("nomail.test")
        with own_server({"dns/server": [dns.address]}) as server:
            submit(server, ANNA, ["bob@nomail.test"], letter("nowhere"))
            for _ in eventually():
                if subjects(server, ANNA):
                    break
            else:
                pytest.fail("no report came")
            assert "5.1.10" in log_of(server, "Recipient: <bob@nomail.test>, Result: failed")


def test_a_relay_host_is_signed_in_to_from_the_address_that_is_set(own_server: Maker) -> None:
    with SmtpSink(credentials={"smart": "secret"}) as relay:
        settings = {
            "delivery/relay-host": f"127.0.0.1:{relay.port}",
            "delivery/relay-user": "smart",
            "delivery/relay-password": "secret",
            "delivery/relay-tls": "none",
            "delivery/source-address": "127.0.0.7",
        }
        with own_server(settings) as server:
            submit(server, ANNA, ["bob@remote.test", "eve@else.test"], letter("relayed"))
            (message,) = relay.wait()
            assert message.user == "smart" and len(message.recipients) == 2
            assert message.client == "127.0.0.7"


def test_a_relay_host_that_is_down_has_another_behind_it(own_server: Maker) -> None:
    second = SmtpSink(host="127.0.0.2")
    with second, own_server({"delivery/relay-host": f"127.0.0.3:{second.port} 127.0.0.2:{second.port}"}) as server:
        submit(server, ANNA, ["bob@remote.test"], letter("second"))
        second.wait()


def test_eight_bit_and_large_content_arrives_as_it_was_sent(own_server: Maker) -> None:
    with SmtpSink() as sink, own_server({"delivery/relay-host": f"127.0.0.1:{sink.port}"}) as server:
        body = "\r\n".join([".dot", "Gr\u00fc\u00dfe", *(f".{n} " + "x" * 70 for n in range(10_000))])
        submit(server, ANNA, ["bob@remote.test"], letter("large", body=body))
        content = sink.wait()[0].content
        assert content.endswith(body.encode() + b"\r\n") and "BODY=8BITMIME" in sink.messages[0].mail_options
