"""What leaves for other servers is signed over what is really sent; what is only passed on is not."""

import asyncio
from dataclasses import replace

import pytest

from tests.support.dkim_keys import Keys, ed_key, name, record, rsa_key
from tests.support.flow_fakes import address
from tests.support.names import Names
from tests.support.reception_house import House
from tests.unit.flow.delivery.test_content import world
from whimbrel.core.directory import Account
from whimbrel.core.envelope import Envelope, Recipient
from whimbrel.core.errors import MailError
from whimbrel.core.intake import Internal, Origin
from whimbrel.core.network import Network
from whimbrel.core.queue import QueueItem
from whimbrel.flow.routing.relay import RelaySettings
from whimbrel.mail.auth.dkim.verification import Verifier

HEAD = (
    b"From: Alice <alice@example.test>\r\nTo: bob@remote.test\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\n"
    b"Message-ID: <1@example.test>\r\nSubject: x\r\n"
)
MAIL = HEAD + b"\r\nhello\r\n"
EIGHT = (
    HEAD
    + b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
    + ("\r\nGrüße\r\n".encode())
)


def built(*sections: object, keys: Keys | None = None) -> House:
    from tests.support.fakes import FakeConfig

    made = House(config=FakeConfig(*sections), keys=keys or Keys("example.test"))  # type: ignore[arg-type]
    made.directory.user("alice@example.test")
    made.directory.user("carol@example.test", forward_to=("bob@remote.test",))
    return made


def results(content: bytes) -> list[str]:
    names = Names({name(key): [("TXT", record(key))] for key in (rsa_key(), ed_key())})
    head, _, body = content.partition(b"\r\n\r\n")
    verifier = Verifier(head + b"\r\n", now=2_000_000_000)
    verifier.feed(body)
    return [verified.result for verified in asyncio.run(verifier.results(names))]


def send(
    made: House, content: bytes = MAIL, *, to: str = "bob@remote.test", origin: Origin = Origin.SUBMISSION
) -> tuple[QueueItem, bytes]:
    account: Account | None = made.directory.accounts["alice@example.test"] if origin is Origin.SUBMISSION else None
    asyncio.run(made.send(to, content=content, origin=origin, sender="alice@example.test", account=account))
    return made.store.queued[-1]


def test_a_users_mail_is_signed_twice_in_front_of_all() -> None:
    item, content = send(built())
    assert content.startswith(b"DKIM-Signature: v=1; a=rsa-sha256;")
    assert content.endswith(MAIL)
    assert results(content) == ["pass", "pass"]
    assert item.size == len(content)
    assert item.options.seven_bit == ""


def test_what_a_submission_lacks_is_signed_too() -> None:
    _, content = send(built(), b"From: alice@example.test\r\n\r\nhello\r\n")
    assert b"\r\nMessage-ID: " in content
    assert results(content) == ["pass", "pass"]
    assert results(content.replace(b"\r\nMessage-ID: <", b"\r\nMessage-ID: <x")) == ["fail", "fail"]


def test_bcc_is_off_before_it_is_signed() -> None:
    _, content = send(built(), b"Bcc: secret@remote.test\r\n" + MAIL)
    assert b"secret" not in content
    assert results(content) == ["pass", "pass"]


@pytest.mark.parametrize(
    "content",
    [
        MAIL.replace(b"alice@example.test>", b"alice@other.test>", 1),
        MAIL.replace(b"From: Alice", b"From: eve@evil.test, Alice"),
        b"From: eve@evil.test\r\n" + MAIL,
        MAIL.replace(b"From: Alice <alice@example.test>\r\n", b""),
    ],
)
def test_a_from_of_others_is_not_signed(content: bytes) -> None:
    assert b"DKIM-Signature" not in send(built(), content)[1]


def test_a_user_speaks_for_the_domain_of_the_own_account_alone() -> None:
    """Another domain of this server has keys, and a user of the first writes in its name."""
    content = MAIL.replace(b"alice@example.test>", b"boss@other.test>", 1)
    made = built(keys=Keys("other.test"))
    assert b"DKIM-Signature" not in send(made, content)[1]


def test_what_is_only_forwarded_is_not_signed() -> None:
    """A stranger writes in our name to somebody whose mail goes on."""
    _, content = send(built(), to="carol@example.test", origin=Origin.INBOUND)
    assert b"DKIM-Signature" not in content


def test_mail_of_our_networks_is_signed() -> None:
    made = built(RelaySettings(allow_from=(Network("192.0.2.66"),)))
    assert results(send(made, origin=Origin.INBOUND)[1]) == ["pass", "pass"]


def test_reports_of_ours_are_signed_and_redirected_mail_is_not() -> None:
    made = built()

    async def submit() -> None:
        envelope = Envelope(None, (Recipient(address("bob@remote.test")),))
        await made.reception.submit(Internal(envelope, made.spool.hold(MAIL)))

    asyncio.run(submit())
    assert results(made.store.queued[-1][1]) == ["pass", "pass"]

    async def resume(*, own: bool) -> bytes:
        tx = await made.begin("bob@remote.test", origin=Origin.INTERNAL, sender="")
        item = made.store.queued[0][0]
        item = replace(item, origin="internal", unchecked=True, options=replace(item.options, own=own))
        recipient = replace(item.recipients[0], local=True)
        item = replace(item, id="q9", recipients=(recipient,))
        await made.reception.resume(item, [recipient.recipient], made.spool.hold(MAIL))
        assert tx.resumed is None
        return made.store.queued[-1][1]

    assert results(asyncio.run(resume(own=True))) == ["pass", "pass"]
    assert b"DKIM-Signature" not in asyncio.run(resume(own=False))


def test_keys_that_cannot_be_read_hold_up_no_mail() -> None:
    made = built(keys=Keys("example.test", failure=MailError(451, "4.3.0", "No", detail="it is damaged")))
    assert b"DKIM-Signature" not in send(made)[1]
    assert "dkim.unsigned" in [record[1] for record in made.log.records]


@pytest.mark.parametrize("extensions", [("8BITMIME",), ("PIPELINING",)])
@pytest.mark.parametrize("content", [EIGHT, EIGHT + b"x" * 1500 + b"\r\n", MAIL + b"y" * 1500 + b"\r\n",
                                     EIGHT + "0123456789 Grüße\r\n".encode() * 40_000])  # fmt: skip
def test_each_form_carries_its_own_signature(content: bytes, extensions: tuple[str, ...]) -> None:
    item, queued = send(built(), content)
    sender = world(extensions)
    options = replace(item.options, body_8bit=not content.isascii())
    sender.send(item=replace(item, options=options), content=queued)
    ((_, _, wire),) = sender.first.messages
    assert wire.isascii() or extensions == ("8BITMIME",)
    assert wire.count(b"DKIM-Signature:") == 2
    assert max(map(len, wire.split(b"\r\n"))) <= 998
    assert results(wire) == ["pass", "pass"]
