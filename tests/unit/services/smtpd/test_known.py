"""What filters said of a connection is known to all of its transactions; what they said of a HELO, until the next."""

import asyncio
from dataclasses import replace

from tests.support.smtp import FakeReception, House
from whimbrel.core.address import ReversePath
from whimbrel.core.directory import Account
from whimbrel.core.envelope import PLAIN, MailOptions
from whimbrel.core.errors import MailError
from whimbrel.core.intake import Client, Origin
from whimbrel.flow.assessment import Assessment, Finding
from whimbrel.flow.transaction import Answers, Transaction

MAIL = b"MAIL FROM:<a@example.org>\r\n"


class Judging(FakeReception):
    """Says something of each client and of each name, and remembers what each MAIL is told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[list[str]] = []

    async def connect(self, origin: Origin, client: Client) -> Assessment:
        await super().connect(origin, client)
        known = Assessment()
        known.own["connect"] = Finding(waives=True)
        return known

    async def helo(self, origin: Origin, client: Client, before: Assessment | None) -> Assessment:
        await super().helo(origin, client, before)
        if client.helo == "refused":
            raise MailError(550, "5.7.1", "Not you")
        known = Assessment(before)
        known.own[client.helo] = Finding(waives=True)
        return known

    async def mail(
        self,
        origin: Origin,
        client: Client,
        account: Account | None,
        sender: ReversePath,
        options: MailOptions = PLAIN,
        answers: Answers = Answers.ONE,
        known: Assessment | None = None,
    ) -> Transaction:
        self.told.append([name for name, _ in known.findings()] if known is not None else [])
        return await super().mail(origin, client, account, sender, options, answers, known)


def judged(*pieces: bytes) -> list[list[str]]:
    house, reception = House(), Judging()
    house.server._ports = replace(house.server._ports, reception=reception)
    asyncio.run(house.talk(*pieces))
    return reception.told


def test_each_transaction_knows_the_connection_and_the_last_helo() -> None:
    told = judged(
        b"EHLO one\r\n" + MAIL + b"RSET\r\n" + MAIL + b"EHLO two\r\n" + MAIL + b"RSET\r\nHELO refused\r\n" + MAIL
    )
    assert told == [["connect", "one"], ["connect", "one"], ["connect", "two"], ["connect", "two"]]
