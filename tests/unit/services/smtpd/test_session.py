"""The session: what the reception is told, and how its answers come back."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from tests.support.certs import certificates
from tests.support.fakes import FakeConfig
from tests.support.smtp import FakeReception, House
from whimbrel.core.address import Address
from whimbrel.core.envelope import MailOptions
from whimbrel.core.errors import MailError
from whimbrel.core.intake import Origin
from whimbrel.core.network import Network
from whimbrel.core.values import Duration
from whimbrel.flow.transaction import Answers
from whimbrel.services.session.settings import SecuritySettings
from whimbrel.services.smtpd.settings import SmtpServerSettings

T = TypeVar("T")
CLEAR = SecuritySettings(plaintext_from=(Network("192.0.2.0/24"),))
AUTH = b"AUTH PLAIN AGFsaWNlAG9wZW4gc2VzYW1l\r\n"
MESSAGE = b"MAIL FROM:<a@example.org>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nhello\r\n.\r\n"
LMTP_TO_TWO = (
    b"LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<bob@example.test>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n.\r\nNOOP\r\n"
)
FULL = MailError(452, "4.2.2", "Mailbox full")


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(coroutine)


def talk(house: House, *pieces: bytes, service: str = "smtp") -> list[str]:
    return run(house.talk(*pieces, service=service))


def test_a_message_reaches_the_reception_as_it_was_sent() -> None:
    house = House()
    answers = talk(
        house,
        b"EHLO client.example.org\r\nMAIL FROM:<a@example.org> SIZE=17 BODY=8BITMIME\r\n"
        b"RCPT TO:<bob@example.test>\r\nRCPT TO:<postmaster>\r\nDATA\r\n..dot\r\n\xe4\r\nlast\r\n.\r\nQUIT\r\n",
    )
    assert answers[-2:] == ["250 2.0.0 Ok: queued as q1", "221 2.0.0 Bye"]
    (message,) = house.reception.received
    assert message.content == b".dot\r\n\xe4\r\nlast\r\n"
    assert message.sender == Address("a", "example.org")
    assert message.recipients == ["bob@example.test", "postmaster@example.test"]
    assert message.options == MailOptions(size=17, body_8bit=True)
    assert (message.origin, message.user) == (Origin.INBOUND, "")
    client = message.client
    assert (client.ip, client.helo, client.protocol, client.service) == (
        "192.0.2.9",
        "client.example.org",
        "ESMTP",
        "smtp",
    )
    assert house.reception.contents[0].closed  # type: ignore[attr-defined]


def test_a_sign_in_whose_name_cannot_be_read_is_logged_as_failed() -> None:
    house = House(CLEAR)
    answers = talk(house, b"EHLO c\r\nAUTH PLAIN AHgbAHNlY3JldA==\r\nQUIT\r\n")  # x, escape
    assert answers[-2].startswith("501 5.5.2")
    (record,) = house.log.named("signin.failed")
    assert (record["user"], record["sender_host"], record["method"]) == ("", "192.0.2.9", "PLAIN")


def test_the_steps_come_in_order() -> None:
    house = House()
    talk(house, b"HELO c\r\n" + MESSAGE)
    assert house.reception.steps == ["connect", "helo", "mail", "rcpt", "complete"]
    assert house.reception.received[0].client.protocol == "SMTP"


@pytest.mark.parametrize(
    ("service", "greeting"), [("smtp", b"EHLO c\r\n"), ("submission", b"EHLO c\r\n"), ("lmtp", b"LHLO c\r\n")]
)
def test_who_has_signed_in_is_a_submitter_on_any_port(service: str, greeting: bytes) -> None:
    house = House(CLEAR)
    talk(house, greeting + AUTH + MESSAGE.replace(b"bob@example.test", b"friend@elsewhere.example"), service=service)
    (message,) = house.reception.received
    assert (message.origin, message.user) == (Origin.SUBMISSION, "alice@example.test")
    assert message.client.protocol == ("LMTPA" if service == "lmtp" else "ESMTPA")


def test_submission_takes_no_mail_before_sign_in() -> None:
    house = House(CLEAR)
    answers = talk(house, b"EHLO c\r\n" + MESSAGE, service="submission")
    assert "530 5.7.0 Authentication required" in answers
    assert house.reception.received == []
    assert "mail" not in house.reception.steps


def test_lmtp_is_no_relay() -> None:
    house = House()
    talk(house, b"LHLO c\r\n" + MESSAGE.replace(b"bob@example.test", b"friend@elsewhere.example"), service="lmtp")
    assert house.reception.received == []


@pytest.mark.parametrize("step", ["connect", "helo", "mail", "complete", "write"])
def test_a_refusal_of_any_step_is_the_answer(step: str) -> None:
    house = House()
    house.reception.refuse[step] = MailError(451, "4.7.1", "Not now\r\n250 \u00fcber", detail="secret reason")
    answers = talk(house, *([b"EHLO c\r\n" + MESSAGE] if step != "connect" else []))
    code = 421 if step == "connect" else 451  # RFC 5321 3.8: who closes says 421.
    assert f"{code} 4.7.1 Not now??250 ?ber" in answers
    assert not any("secret" in answer for answer in answers)
    assert house.reception.received == []
    assert not house.log.named("session.crashed")


def test_a_full_disk_is_told_after_the_data_and_the_session_goes_on() -> None:
    house = House()
    house.reception.refuse["write"] = MailError(452, "4.3.1", "Disk full")
    answers = talk(house, b"HELO c\r\n" + MESSAGE + b"NOOP\r\n")
    assert answers[-2:] == ["452 4.3.1 Disk full", "250 2.0.0 Ok"]
    assert house.reception.writers[0].discarded


@pytest.mark.parametrize(
    ("body", "answer"), [(b"x" * 100_001, "552 5.3.4"), (b"a\nb", "550 5.5.2"), (b"a\rb", "550 5.5.2")]
)
def test_oversize_and_bare_line_ends_are_refused_and_discarded(body: bytes, answer: str) -> None:
    house = House()
    answers = talk(house, b"HELO c\r\n" + MESSAGE.replace(b"hello", body) + b"NOOP\r\n")
    assert answers[-2].startswith(answer)
    assert answers[-1] == "250 2.0.0 Ok"
    assert house.reception.writers[0].discarded
    assert house.reception.received == []
    assert house.log.named("message.refused")[0]["queue_id"] == "q1"


def test_lmtp_answers_for_each_recipient() -> None:
    house = House()
    house.reception.refuse["alice@example.test"] = FULL
    answers = talk(
        house,
        LMTP_TO_TWO,
        service="lmtp",
    )
    assert answers[-3:] == ["250 2.1.5 Ok: queued as q1", "452 4.2.2 Mailbox full", "250 2.0.0 Ok"]


def test_lmtp_repeats_a_refusal_for_each_recipient() -> None:
    house = House()
    house.reception.refuse["complete"] = MailError(550, "5.7.1", "Spam")
    answers = talk(
        house,
        LMTP_TO_TWO,
        service="lmtp",
    )
    assert answers[-3:] == ["550 5.7.1 Spam", "550 5.7.1 Spam", "250 2.0.0 Ok"]


def test_smtp_refuses_only_what_nobody_took() -> None:
    house = House()
    house.reception.refuse["alice@example.test"] = FULL
    both = MESSAGE.replace(b"DATA", b"RCPT TO:<alice@example.test>\r\nDATA")
    assert talk(house, b"HELO c\r\n" + both)[-1] == "250 2.0.0 Ok: queued as q1"
    house.reception.refuse["bob@example.test"] = FULL
    assert talk(house, b"HELO c\r\n" + both)[-1] == "452 4.2.2 Mailbox full"


def test_a_bug_is_answered_once_logged_and_ends_the_session() -> None:
    house = House()

    async def boom() -> None:
        raise KeyError("secret detail")

    house.reception.before_complete = boom
    answers = talk(house, b"HELO c\r\n" + MESSAGE + b"NOOP\r\n")
    assert answers[-1].startswith("451 4.3.0")
    assert not any("secret" in answer for answer in answers)
    assert len(house.log.named("session.crashed")) == 1


def test_a_message_cut_off_is_discarded() -> None:
    house = House()
    talk(house, b"HELO c\r\n" + MESSAGE.removesuffix(b".\r\n"))
    assert house.reception.received == []
    assert house.reception.writers[0].discarded


@pytest.mark.parametrize(("full", "remembered"), [({}, ["q1"]), ({"bob@example.test": FULL}, [])])
def test_a_client_that_left_before_the_answer_is_remembered(full: dict[str, MailError], remembered: list[str]) -> None:
    """RFC 1047: it will send the message again. Where it was refused for some, they must not hear 250 then (PRDR)."""

    async def scene() -> House:
        house = House()
        house.reception.refuse = full
        entered, go = asyncio.Event(), asyncio.Event()

        async def wait() -> None:
            entered.set()
            await go.wait()

        house.reception.before_complete = wait
        _, writer = await house.dial()
        both = b"<a@example.org> PRDR\r\nRCPT TO:<alice@example.test>"
        writer.write(b"EHLO c\r\n" + MESSAGE.replace(b"<a@example.org>", both))
        await entered.wait()
        writer.transport.abort()
        while not house.connections[0].ended:
            await asyncio.sleep(0)
        go.set()
        await house.sessions[0]
        return house

    house = run(scene())
    assert len(house.reception.received) == 1
    assert house.reception.forgotten == remembered
    assert not house.log.named("session.crashed")


def test_a_shutdown_while_idle_is_told() -> None:
    async def scene() -> bytes:
        house = House()
        reader, writer = await house.dial()
        await reader.readline()
        house.connections[0].stop(house.sessions[0])
        rest = await reader.read()
        writer.close()
        with pytest.raises(asyncio.CancelledError):
            await house.sessions[0]
        return rest

    assert run(scene()) == b"421 4.3.2 The server is shutting down\r\n"


@pytest.mark.parametrize("outcome", [None, MailError(550, "5.7.1", "Spam")])
def test_a_shutdown_waits_for_what_is_being_accepted_and_sends_its_answer(outcome: MailError | None) -> None:
    async def scene() -> tuple[list[bytes], int]:
        house = House()
        entered, go = asyncio.Event(), asyncio.Event()

        async def wait() -> None:
            entered.set()
            await go.wait()
            if outcome is not None:
                raise outcome

        house.reception.before_complete = wait
        reader, writer = await house.dial()
        writer.write(b"HELO c\r\n" + MESSAGE)
        await entered.wait()
        house.connections[0].stop(house.sessions[0])
        await asyncio.sleep(0)
        assert not house.sessions[0].done()
        go.set()
        answers = (await reader.read()).splitlines()
        writer.close()
        with pytest.raises(asyncio.CancelledError):
            await house.sessions[0]
        return answers, len(house.reception.received)

    answers, received = run(scene())
    assert answers[-1].startswith(b"421 4.3.2")
    assert answers[-2].startswith(b"250 2.0.0" if outcome is None else b"550 5.7.1 Spam")
    assert received == (outcome is None)


@pytest.mark.parametrize("sent", [b"", b"HELO c\r\nMAIL", b"HELO c\r\n" + MESSAGE[:-10]])
def test_silence_is_ended_with_421(sent: bytes) -> None:
    settings = SmtpServerSettings.model_construct(
        greeting="",
        max_failed_commands=20,
        command_timeout=Duration(0.02),
        data_timeout=Duration(0.02),
        max_session_time=Duration("1h"),
    )

    async def scene() -> bytes:
        house = House(settings)
        reader, writer = await house.dial()
        writer.write(sent)
        answer = await reader.read()
        writer.close()
        await house.sessions[0]
        return answer

    assert run(scene()).splitlines()[-1] == b"421 4.4.2 Silent for too long"


def test_a_session_does_not_last_for_ever() -> None:
    async def scene() -> tuple[bytes, FakeReception]:
        house = House()
        reader, writer = await house.dial()
        writer.write(b"HELO c\r\n" + MESSAGE[:-5])
        while b"354" not in await reader.readline():
            pass
        house.clock.forward(6 * 3600 + 1)
        writer.write(b"more\r\n")
        answer = await reader.read()
        writer.close()
        await house.sessions[0]
        return answer, house.reception

    answer, reception = run(scene())
    assert answer.startswith(b"421 4.4.2")
    assert reception.writers[0].discarded


def test_a_certificate_that_has_gone_since_ehlo() -> None:
    async def scene() -> bytes:
        house = House(tls=certificates("localhost").server())
        reader, writer = await house.dial()
        writer.write(b"EHLO c\r\n")
        while not (await reader.readline()).startswith(b"250 "):
            pass
        house.tls = None
        writer.write(b"STARTTLS\r\n")
        answer = await reader.readline()
        writer.close()
        await house.sessions[0]
        return answer

    assert run(scene()) == b"454 4.7.0 TLS is not available now\r\n"


def test_settings_are_read_at_the_start_of_each_session() -> None:
    house = House()
    assert isinstance(house.config, FakeConfig)
    house.config.use(SmtpServerSettings(greeting="hello there"))
    assert talk(house)[0] == "220 mail.example.test ESMTP hello there"


def test_an_ehlo_that_is_refused_leaves_the_transaction_as_it_was() -> None:
    """RFC 5321 4.1.4: the server stays in the state that it was in."""

    async def scene() -> tuple[list[bytes], House]:
        house = House()
        reader, writer = await house.dial()
        writer.write(b"EHLO good.example.org\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<bob@example.test>\r\n")
        answers = list[bytes]()
        while not answers or b"2.1.5" not in answers[-1]:
            answers.append(await reader.readline())
        house.reception.refuse["helo"] = MailError(550, "5.7.1", "Not under this name")
        writer.write(b"EHLO bad.example.org\r\nDATA\r\nhello\r\n.\r\nQUIT\r\n")
        answers = (await reader.read()).splitlines()
        writer.close()
        await house.sessions[0]
        return answers, house

    answers, house = run(scene())
    assert [answer[:3] for answer in answers] == [b"220", b"550", b"354", b"250", b"221"][1:]
    (message,) = house.reception.received
    assert message.recipients == ["bob@example.test"] and message.client.helo == "good.example.org"


def test_mail_without_signing_in_is_a_failed_command() -> None:
    answers = talk(House(), b"EHLO c\r\n" + b"MAIL FROM:<a@example.org>\r\n" * 25, service="submission")
    assert answers.count("530 5.7.0 Authentication required") == 20
    assert answers[-1] == "421 4.7.0 Too many errors"


@pytest.mark.parametrize("command", [b"NOOP", b"RSET", b"EHLO c", b"VRFY a", b"HELP"])
def test_commands_without_end_and_without_mail_end_the_session(command: bytes) -> None:
    answers = talk(House(), b"EHLO c\r\n" + MESSAGE + (command + b"\r\n") * 200)
    assert answers[-1] == "421 4.7.0 Too many errors"


def test_a_message_now_and_then_keeps_a_session_alive() -> None:
    house = House()
    answers = talk(house, b"EHLO c\r\n" + ((b"RSET\r\n" * 90) + MESSAGE) * 3 + b"QUIT\r\n")
    assert answers[-1] == "221 2.0.0 Bye" and len(house.reception.received) == 3


def test_whoever_tries_names_out_is_sent_away() -> None:
    begun = b"EHLO c\r\nMAIL FROM:<a@example.org>\r\n"
    answers = talk(House(), begun + b"RCPT TO:<nobody@example.test>\r\n" * 300)
    assert answers[-1] == "421 4.7.0 Too many errors"
    assert answers.count("550 5.1.1 No such user here") < 150


def test_a_users_list_may_be_full_of_wrong_addresses() -> None:
    begun = b"EHLO c\r\n" + AUTH + b"MAIL FROM:<alice@example.test>\r\n"
    answers = talk(House(CLEAR), begun + b"RCPT TO:<nobody@example.test>\r\n" * 300 + b"QUIT\r\n")
    assert answers[-1] == "221 2.0.0 Bye"


def test_an_lmtp_client_that_signed_in_still_has_an_answer_for_each_recipient() -> None:
    """One refusal for all would have it send again to those who have the message already. RFC 2033 4.2"""
    house = House(CLEAR)
    talk(house, b"LHLO c\r\n" + AUTH + LMTP_TO_TWO.partition(b"\r\n")[2], service="lmtp")
    (message,) = house.reception.received
    assert message.user and message.answers is Answers.EACH


@pytest.mark.parametrize(("behind", "at_once"), [(b"", True), (b"x" * 2000, False), (b"NOOP\r\n", False)])
def test_quit_with_more_behind_it_is_answered_and_heard_out(behind: bytes, at_once: bool) -> None:
    """A close with octets unread is a reset, which may take the answer away from the client."""
    house = House(CLEAR)
    assert talk(house, b"EHLO c\r\nQUIT\r\n" + behind)[-1] == "221 2.0.0 Bye"
    assert house.connections[-1].asked is at_once
