"""The session with DSN, SMTPUTF8, BDAT, PRDR: what the reception is told, and what becomes of content half come."""

import asyncio

import pytest

from tests.support.smtp import House
from whimbrel.core.address import Address
from whimbrel.core.envelope import MailOptions, Notify, Recipient
from whimbrel.core.errors import MailError
from whimbrel.core.network import Network
from whimbrel.core.values import Duration
from whimbrel.flow.routing.route import Expansion
from whimbrel.flow.transaction import Addressee, Answers, Transaction
from whimbrel.protocols.smtp.state import Role, Terms
from whimbrel.services.session.settings import SecuritySettings
from whimbrel.services.smtpd.help import commands
from whimbrel.services.smtpd.settings import SmtpServerSettings

TO_BOB = b"EHLO c\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<bob@example.test>\r\n"


def talk(house: House, *pieces: bytes, service: str = "smtp") -> list[str]:
    return asyncio.run(house.talk(*pieces, service=service))


def test_what_the_client_wants_to_be_told_reaches_the_reception() -> None:
    house = House()
    seen: list[Recipient] = []

    async def rcpt(tx: Transaction, recipient: Recipient) -> None:
        seen.append(recipient)
        tx.addressees.append(Addressee(recipient, Expansion()))

    house.reception.rcpt = rcpt  # type: ignore[method-assign]
    talk(
        house,
        b"EHLO c\r\nMAIL FROM:<a@example.org> RET=FULL ENVID=QQ+2B1 SMTPUTF8 PRDR\r\n"
        b"RCPT TO:<bob@example.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Bob+2B@example.org\r\nDATA\r\n.\r\n",
    )
    (message,) = house.reception.received
    assert message.options == MailOptions(utf8=True, envid="QQ+1", ret="FULL") and message.answers is Answers.EACH
    assert seen == [
        Recipient(Address("bob", "example.test"), frozenset({Notify.SUCCESS, Notify.DELAY}), "rfc822;Bob+@example.org")
    ]


def test_chunks_become_one_message() -> None:
    house = House()
    answers = talk(house, TO_BOB + b"BDAT 5\r\na\r\nb\r", b"BDAT 9 LAST\r\n\n.\r\nend\r", b"\nQUIT\r\n")
    assert answers[-3:] == ["250 2.0.0 Go on", "250 2.0.0 Ok: queued as q1", "221 2.0.0 Bye"]
    assert house.reception.received[0].content == b"a\r\nb\r\n.\r\nend\r\n"
    assert len(house.reception.writers) == 1


def test_content_half_come_is_let_go_by_rset_and_by_a_client_that_leaves() -> None:
    for end in (b"RSET\r\nNOOP\r\n", b"EHLO again\r\n", b"BDAT 9 LAST\r\nabc", b"QUIT\r\n"):
        house = House()
        talk(house, TO_BOB + b"BDAT 3\r\na\r\n" + end)
        assert [writer.discarded for writer in house.reception.writers] == [True]
        assert not house.reception.received and not house.log.named("session.crashed")


def test_a_full_disk_is_told_at_the_chunk_and_the_rest_of_the_message_is_dropped() -> None:
    house = House()
    house.reception.refuse["write"] = MailError(452, "4.3.1", "Disk full")
    answers = talk(house, TO_BOB + b"BDAT 3\r\na\r\nBDAT 3\r\nb\r\nBDAT 3 LAST\r\nc\r\nNOOP\r\n")
    assert [line[:9] for line in answers[-4:]] == ["452 4.3.1", "503 5.5.1", "503 5.5.1", "250 2.0.0"]
    assert house.reception.writers[0].discarded and house.log.named("message.refused")


def test_octets_of_a_refused_chunk_are_waited_for_no_longer_than_a_command() -> None:
    house = House(SmtpServerSettings.model_construct(
        greeting="x", max_failed_commands=20, command_timeout=Duration(0.05), data_timeout=Duration(300),
        max_session_time=Duration(3600), max_transactions=0))  # fmt: skip

    async def check() -> None:
        reader, writer = await house.dial()
        writer.write(b"BDAT 50000\r\nabc")
        text = (await asyncio.wait_for(reader.read(), 10)).decode()
        assert text.splitlines()[-1] == "421 4.4.2 Silent for too long"
        writer.close()

    asyncio.run(check())


def test_a_session_ends_in_time_whatever_it_says() -> None:
    house = House()

    async def check() -> None:
        reader, writer = await house.dial()
        await reader.readline()
        house.clock.forward(7 * 3600)
        writer.write(b"NOOP\r\nNOOP\r\n")
        assert (await asyncio.wait_for(reader.read(), 10)).startswith(b"421 4.4.2 The session has lasted too long")
        writer.close()

    asyncio.run(check())


def test_help_names_what_is_there() -> None:
    (line,) = [one for one in talk(House(), b"HELP\r\n") if one.startswith("214-")]
    assert {"HELO", "EHLO", "MAIL", "BDAT", "QUIT"} < set(line.split()) and "LHLO" not in line
    (line,) = [one for one in talk(House(), b"HELP\r\n", service="lmtp") if one.startswith("214-")]
    assert {"LHLO", "MAIL", "BDAT"} < set(line.split()) and "EHLO" not in line


@pytest.mark.parametrize("service", ["smtp", "submission", "lmtp"])
@pytest.mark.parametrize("settings", [None, SecuritySettings(plaintext_from=(Network("192.0.2.0/24"),))])
def test_help_names_no_extension_that_the_hello_does_not_offer(service: str, settings: SecuritySettings | None) -> None:
    hello = b"LHLO c\r\n" if service == "lmtp" else b"EHLO c\r\n"
    answers = talk(House(settings) if settings else House(), hello + b"HELP\r\n", service=service)
    offered = {one[4:].split()[0] for one in answers if one.startswith("250")}
    (line,) = [one for one in answers if one.startswith("214-")]
    assert {verb in line.split() for verb in ("STARTTLS", "AUTH") if verb in offered} <= {True}
    assert {verb in line.split() for verb in ("STARTTLS", "AUTH") if verb not in offered} <= {False}


def test_help_no_longer_names_auth_to_who_has_signed_in() -> None:
    terms = Terms(1000, starttls=True, mechanisms=("PLAIN",))
    assert {"STARTTLS", "AUTH"} < set(commands(Role.SUBMISSION, terms).lines[0].split())
    assert not {"STARTTLS", "AUTH"} & set(commands(Role.SUBMISSION, Terms(1000)).lines[0].split())
