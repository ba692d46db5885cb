"""The dialogues of `tests/transcript/pop3/*.txt` with the POP3 service.

Words for the stage: `pop3s` (TLS from the first byte), `tls` (a certificate is there), `strict` (no passwords without
TLS), `shared` (several sessions of one user at once), `delay` (LOGIN-DELAY of a minute), `mails=N` (so many messages
in alice's INBOX, see `MAILS`). Alice's password is `open sesame`.
"""

import asyncio
from pathlib import Path

import pytest

from tests.support.certs import certificates
from tests.support.transcript import Dialogue, dialogues, play
from tests.unit.services.pop3d.house import House
from whimbrel.core.values import Duration
from whimbrel.services.pop3d.settings import Pop3Settings

DIALOGUES = dialogues(Path(__file__).parent / "pop3")

MAILS = (
    b"Subject: one\r\n\r\nHello.\r\n",
    b"Subject: two\r\n\r\n.dot\r\n..\r\nlast\r\n",
    b"Subject: three\n\nbare LF\nno end",
)


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=str)
def test_dialogue(dialogue: Dialogue) -> None:
    words = dialogue.words
    count = next((int(word.removeprefix("mails=")) for word in words if word.startswith("mails=")), 0)
    tls = certificates().server() if {"tls", "pop3s"} & set(words) else None
    service = "pop3s" if "pop3s" in words else "pop3"

    settings = Pop3Settings(exclusive="shared" not in words, login_delay=Duration("60s" if "delay" in words else "0s"))

    async def run() -> None:
        async with House(settings, tls=tls, plaintext="strict" not in words) as house:
            await house.deliver(*MAILS[:count])

            async def dial(_name: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
                reader, writer = await house.dial(service)
                if service == "pop3s":
                    await writer.start_tls(certificates().client(), server_hostname="localhost")
                return reader, writer

            await play(dialogue, dial, certificates().client)

    asyncio.run(run())
