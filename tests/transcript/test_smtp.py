"""The dialogues of `tests/transcript/smtp/*.txt` with the SMTP service.

Words for the stage: a service (smtp, submission, submissions, lmtp), `tls` (a certificate is there), `plaintext`
(passwords are taken from the client's address without TLS), `failures=N`, `recipients=N`, `transactions=N`,
`limits` (100 recipients are told), `full=NAME` (a mailbox that turns out to be full once the content is there),
`unwelcome` (the client is refused when it connects).
"""

import asyncio
from pathlib import Path

import pytest

from tests.support.certs import certificates
from tests.support.smtp import House
from tests.support.transcript import Dialogue, dialogues, play
from whimbrel.core.address import Domain
from whimbrel.core.errors import MailError
from whimbrel.core.network import Network
from whimbrel.core.settings import Section
from whimbrel.core.values import Size
from whimbrel.flow.settings import SmtpSettings
from whimbrel.services.session.settings import SecuritySettings
from whimbrel.services.smtpd.settings import SmtpServerSettings

DIALOGUES = dialogues(Path(__file__).parent / "smtp")


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=str)
def test_dialogue(dialogue: Dialogue) -> None:
    words = dialogue.words
    service = next((word for word in words if word in ("submission", "submissions", "lmtp")), "smtp")
    values = dict(word.split("=") for word in words if "=" in word)
    sections: list[Section] = [
        SmtpSettings(
            hostname=Domain("mail.example.test"),
            max_message_size=Size(100_000),
            max_recipients=100 if "limits" in words else 1000,
        ),
        SmtpServerSettings(
            max_failed_commands=int(values.get("failures", 20)), max_transactions=int(values.get("transactions", 0))
        ),
        SecuritySettings(plaintext_from=(Network("192.0.2.0/24"),) if "plaintext" in words else ()),
    ]
    tls = certificates("localhost")

    async def run() -> None:
        house = House(*sections, tls=tls.server() if "tls" in words else None)
        house.reception.max_recipients = int(values.get("recipients", 1000))
        if "unwelcome" in words:
            house.reception.refuse["connect"] = MailError(550, "5.7.1", "Not you")
        if "full" in values:
            full = MailError(452, "4.2.2", "Mailbox full")
            house.reception.refuse = {f"{values['full']}@example.test": full}
        await play(dialogue, lambda _name: house.dial(service), tls.client)
        await asyncio.gather(*house.sessions, return_exceptions=True)
        assert not house.log.named("session.crashed")

    asyncio.run(run())


def test_there_are_dialogues() -> None:
    assert len(DIALOGUES) > 20
