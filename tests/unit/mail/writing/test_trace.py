import pytest

from whimbrel.core.address import Address
from whimbrel.core.intake import Client
from whimbrel.core.net import TlsInfo
from whimbrel.mail.writing.trace import delivered_to, joint, received, return_path, with_keyword

DATE = "Tue, 24 Nov 2026 17:57:14 +0100"
CLIENT = Client("192.0.2.1", 4711, "192.0.2.2", 25, helo="mail.example.org", protocol="ESMTP", host="mail.example.org")


def test_received_tells_who_gave_it_how_and_when() -> None:
    assert received(CLIENT, by="mx.example.test", queue_id="6ab3f000-00000001", date=DATE).decode() == (
        "Received: from mail.example.org (mail.example.org [192.0.2.1])\r\n"
        "\tby mx.example.test (Whimbrel) with ESMTP id 6ab3f000-00000001;\r\n"
        "\tTue, 24 Nov 2026 17:57:14 +0100\r\n"
    )


def test_tls_and_a_lone_recipient_are_told() -> None:
    tls = TlsInfo("TLSv1.3", "TLS_AES_256_GCM_SHA384", 256)
    client = Client("2001:db8::1", 1, "::1", 25, helo="[x]", protocol="ESMTPSA", tls=tls)
    raw = received(client, by="mx", queue_id="1", date=DATE, recipient=Address("bob", "example.test")).decode()
    assert "from [x] ([IPv6:2001:db8::1])\r\n" in raw
    assert "\t(version=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384 bits=256)\r\n" in raw
    assert "\tfor <bob@example.test> tls TLS_AES_256_GCM_SHA384;\r\n" in raw  # RFC 8314 4.3
    assert "for " not in received(client, by="mx", queue_id="1", date=DATE).decode()


def test_only_a_registered_cipher_name_gets_the_tls_clause() -> None:
    client = Client("192.0.2.1", 1, "", 25, helo="x", tls=TlsInfo("TLSv1.2", "ECDHE-RSA-AES256-GCM-SHA384", 256))
    assert b" tls " not in received(client, by="mx", queue_id="1", date=DATE)


def test_a_greeting_cannot_become_a_field_or_comment() -> None:
    client = Client("192.0.2.1", 1, "", 25, helo="evil\r\nX-Spam: no\r\n (", protocol="ESMTP", host="a)b")
    raw = received(client, by="mx", queue_id="1", date=DATE)
    assert raw.startswith(b"Received: from evil??X-Spam:?no???? (a?b [192.0.2.1])\r\n\tby")


def test_names_for_the_protocol() -> None:
    # RFC 3848, RFC 6531 4.3
    assert with_keyword(extended=False) == "SMTP"
    assert with_keyword() == "ESMTP"
    assert with_keyword(tls=True, signed_in=True) == "ESMTPSA"
    assert with_keyword(lmtp=True, tls=True) == "LMTPS"
    assert with_keyword(tls=True, utf8=True) == "UTF8SMTPS"
    assert with_keyword(lmtp=True, signed_in=True, utf8=True) == "UTF8LMTPA"
    assert b"with UTF8SMTP id" in received(CLIENT, by="mx", queue_id="1", date=DATE, utf8=True)


@pytest.mark.parametrize(
    ("head", "between"),
    [
        (b"Subject: x\r\n\r\n", b""),
        (b"X-Old :x\r\n\r\n", b""),  # RFC 5322 4.5
        (b"\r\nno header\r\n", b""),
        (b"", b""),
        (b"hello\r\nworld\r\n", b"\r\n"),
        (b"see http://example.org\r\n", b"\r\n"),
        (b" folded: what?\r\n", b"\r\n"),
        (b"\tfolded: what?\r\n", b"\r\n"),
        (b": no name\r\n", b"\r\n"),
        ("Größe: 1\r\n".encode(), b"\r\n"),
        (b"From a@b.example Tue Nov 24 10:00:00 2026\r\nSubject: x\r\n", b"Mailbox-Line: "),
        (b">From a@b.example Tue Nov 24 10:00:00 2026\r\n", b"Mailbox-Line: "),
    ],
)
def test_what_is_no_field_does_not_get_into_the_header(head: bytes, between: bytes) -> None:
    """RFC 5322 2.1: the body is separated from the header by an empty line."""
    assert joint(head) == between


def test_return_path_and_delivered_to() -> None:
    assert return_path(None) == b"Return-Path: <>\r\n"
    assert return_path(Address("a b", "example.org")) == b'Return-Path: <"a b"@example.org>\r\n'
    assert delivered_to(Address("bob", "example.test")) == b"Delivered-To: bob@example.test\r\n"


def test_long_names_are_folded() -> None:
    client = Client("192.0.2.1", 1, "", 25, helo="h" * 250, host="r" * 250, protocol="ESMTP")
    assert all(len(line) < 300 for line in received(client, by="mx", queue_id="1", date=DATE).split(b"\r\n"))
