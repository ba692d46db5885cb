"""Calls to other servers: every line is shown, nothing is sent unless it is asked for, and what they say is bounded."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from tests.support.certs import certificates, self_signed
from tests.support.fakes import FakeClock, FakeConfig, MemoryLog
from tests.support.sinks import CLOSE, SmtpSink
from tests.unit.services.health.ward import Names
from whimbrel.app.dialler import GuardedDialler
from whimbrel.backends.tls.contexts import TlsContexts
from whimbrel.backends.tls.settings import TlsSettings
from whimbrel.services.probing.certificate import chain_steps
from whimbrel.services.probing.ports import Dialled, ProbeStep
from whimbrel.services.probing.smtp_dial import Letter, dial
from whimbrel.services.probing.tls_look import look_at_tls

FILES = certificates("mail.example.test", "127.0.0.1")


def dialler(names: Names | None = None, *allowed: str) -> GuardedDialler:
    contexts = TlsContexts(
        FakeConfig(TlsSettings(authorities=str(FILES.authority))), Path("/nonexistent"), list, MemoryLog(), FakeClock()
    )  # fmt: skip
    return GuardedDialler(contexts, names or Names(), lambda: allowed)


async def chain(dialled: Dialled, seconds: float) -> Sequence[ProbeStep]:
    info = dialled.link.tls
    assert info is not None
    return chain_steps(dialled.chain(), info.server_name, 1_800_000_000.0, seconds, verified=info.verified)


def gathered(steps: AsyncIterator[ProbeStep]) -> list[ProbeStep]:
    async def work() -> list[ProbeStep]:
        return [step async for step in steps]

    return asyncio.run(work())


def called(sink: SmtpSink, letter: Letter | None = None) -> list[ProbeStep]:
    return gathered(dial(dialler(), [sink.host], sink.port, "us.test", chain, letter))


def problems(steps: Sequence[ProbeStep]) -> list[str]:
    return [problem for step in steps for problem in step.problems]


def test_a_call_shows_greeting_tls_and_certificate_and_sends_nothing() -> None:
    with SmtpSink(tls=FILES.server()) as sink:
        steps = called(sink)
        assert sink.messages == []
    texts = [step.text for step in steps]
    assert [text for text in texts if text.startswith("> ")] == [
        "> EHLO us.test",
        "> STARTTLS",
        "> EHLO us.test",
        "> QUIT",
    ]
    assert any(text.startswith("< 220") for text in texts)
    (tls,) = [step for step in steps if step.kind == "tls"]
    assert tls.facts["version"] == "TLSv1.3"
    certificate = next(step for step in steps if step.kind == "certificate")
    assert "127.0.0.1" in certificate.facts["names"]
    assert problems(steps) == []


def test_a_message_is_sent_to_the_one_who_was_named() -> None:
    letter = Letter("postmaster@example.org", "bob@peer.test", "Subject: Test\r\n\r\nhello")
    with SmtpSink(tls=FILES.server()) as sink:
        steps = called(sink, letter)
        (message,) = sink.messages
    assert (message.sender, message.recipients) == ("postmaster@example.org", ["bob@peer.test"])
    assert message.content == b"Subject: Test\r\n\r\nhello\r\n"
    assert [step.text for step in steps if step.kind == "result"] == ["the message was taken"]


def test_a_refusal_is_a_problem_and_nothing_follows_it() -> None:
    letter = Letter("postmaster@example.org", "bob@peer.test", "x")
    with SmtpSink(replies={"RCPT": ["550 5.1.1 unknown"]}) as sink:
        steps = called(sink, letter)
        assert sink.messages == []
    said = problems(steps)
    assert any("550 5.1.1 unknown" in problem for problem in said)
    assert any("refused at RCPT" in problem for problem in said)
    assert any("STARTTLS is not offered" in problem for problem in said)
    assert "> DATA" not in [step.text for step in steps]


@pytest.mark.parametrize("greeting", [CLOSE, "SSH-2.0-OpenSSH_9.2", "x" * 5000])
def test_a_server_that_hangs_up_or_speaks_something_else_ends_the_call_in_words(greeting: str) -> None:
    with SmtpSink(replies={"CONNECT": [greeting]}) as sink:
        steps = called(sink)
    assert steps[-1].kind == "result"
    assert problems(steps)


def test_the_next_server_is_called_if_one_does_not_answer() -> None:
    with SmtpSink() as sink:
        steps = gathered(dial(dialler(), ["127.0.0.2", "127.0.0.1"], sink.port, "us.test", chain))
    assert "cannot be reached" in steps[0].text
    assert any(step.text.startswith("< 220") for step in steps)


def test_a_name_never_leads_to_a_private_address() -> None:
    names = Names({("A", "inside.example.net"): ["127.0.0.1"]})
    with SmtpSink() as sink:
        (step,) = gathered(dial(dialler(names), ["inside.example.net"], sink.port, "us.test", chain))
        assert "not connected to" in step.text
        assert (
            len(gathered(dial(dialler(names, "127.0.0.0/8"), ["inside.example.net"], sink.port, "us.test", chain))) > 3
        )


def test_tls_is_looked_at_version_by_version() -> None:
    with SmtpSink(tls=FILES.server()) as sink:
        steps = gathered(look_at_tls(dialler(), sink.host, sink.port, "us.test", chain, "smtp"))
    taken = {step.facts["version"]: step.facts.get("taken", "") for step in steps if step.kind == "tls"}
    assert taken["1.3"] == taken["1.2"] == "yes"
    assert taken["1.1"] == taken["1.0"] == "no"
    assert problems(steps) == []


def test_a_certificate_that_proves_nothing_is_a_problem() -> None:
    with SmtpSink(tls=self_signed("other.test")) as sink:
        steps = gathered(look_at_tls(dialler(), sink.host, sink.port, "us.test", chain, "smtp"))
    certificate = next(step for step in steps if step.kind == "certificate")
    assert "self-signed" in certificate.text
    assert any("does not prove" in problem for problem in certificate.problems)


def test_a_server_without_tls_is_a_sentence() -> None:
    with SmtpSink() as sink:
        (step,) = gathered(look_at_tls(dialler(), sink.host, sink.port, "us.test", chain, "smtp"))
    assert step.problems
