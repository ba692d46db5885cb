"""SPF, DKIM, DMARC and their results in the way of a message."""

import asyncio
from dataclasses import dataclass

import pytest

from tests.support.dkim_keys import ed_key, name, record
from tests.support.names import TIMEOUT
from tests.support.reception_house import House, house
from tests.unit.mail.auth.test_arc import sealed
from whimbrel.core.address import Domain
from whimbrel.core.errors import MailError
from whimbrel.core.intake import Client, Origin
from whimbrel.core.network import Network
from whimbrel.core.settings import Section
from whimbrel.flow.assessment import Assessment, Stage
from whimbrel.flow.intake.keeping import kept, restore
from whimbrel.flow.judging.filters.arc import ArcSettings
from whimbrel.flow.judging.filters.dkim import DkimSettings
from whimbrel.flow.judging.filters.dmarc import DmarcSettings
from whimbrel.flow.judging.filters.spf import SpfSettings
from whimbrel.flow.judging.proofs import DmarcChecked, DomainVerified, SpfChecked, domain_verified, sender_verified
from whimbrel.flow.judging.rating import RatingSettings
from whimbrel.flow.judging.trusted import TrustedRelaysSettings
from whimbrel.flow.settings import SmtpSettings
from whimbrel.mail.auth.dkim.signing import Signing
from whimbrel.mail.structure.header import fields

MAIL = (
    b"From: Ann <ann@b.test>\r\nTo: alice@example.test\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\n"
    b"Message-ID: <1@b.test>\r\nSubject: x\r\n\r\nhello\r\n"
)
CLIENT = Client("192.0.2.66", 40000, "192.0.2.25", 25, "mail.b.test", "ESMTP", session_id="s1", service="smtp")


def made(*sections: Section) -> House:
    return house(*sections, authenticated=True)


def signed(content: bytes = MAIL, domain: str = "b.test") -> bytes:
    signing = Signing()
    signing.feed(content)
    return signing.fields([ed_key(domain)], 1_700_000_000) + content


def zone(built: House, *, spf: str = "", dmarc: str = "", key: str = "") -> House:
    if spf:
        built.names.add("b.test", "TXT", spf)
    if dmarc:
        built.names.add("_dmarc.b.test", "TXT", dmarc)
    if key:
        built.names.add(name(ed_key(key)), "TXT", record(ed_key(key)))
    return built


@dataclass(slots=True)
class Seen:
    """How a message arrived."""

    folder: str
    content: bytes
    known: Assessment

    @property
    def results(self) -> str:
        """Our Authentication-Results, unfolded."""
        values = [
            each.value.decode() for each in fields(self.content) if each.name.lower() == b"authentication-results"
        ]
        return values[0].replace("\t", " ") if values else ""


def send(
    built: House,
    content: bytes = MAIL,
    *,
    sender: str = "ann@b.test",
    client: Client = CLIENT,
    origin: Origin = Origin.INBOUND,
) -> Seen:
    async def run() -> Seen:
        tx = await built.begin("alice@example.test", sender=sender, client=client, origin=origin)
        await built.finish(tx, content)
        stored = built.store.filed[-1]
        return Seen(stored.folder, stored.content, tx.known)

    return asyncio.run(run())


def test_an_honest_message_passes_and_says_so() -> None:
    built = zone(made(), spf="v=spf1 ip4:192.0.2.66 -all", dmarc="v=DMARC1; p=reject", key="b.test")
    seen = send(built, signed())
    assert seen.folder == "INBOX"
    assert seen.results.startswith(f"{built.config.section(SmtpSettings).hostname}; spf=pass smtp.mailfrom=ann@b.test;")
    assert "dkim=pass header.d=b.test header.s=e header.a=ed25519-sha256 header.b=" in seen.results
    assert seen.results.endswith("dmarc=pass header.from=b.test policy.dmarc=reject")
    assert domain_verified(seen.known, "b.test")
    assert sender_verified(seen.known, "b.test")
    assert seen.known.score == 0


def test_reject_alone_refuses_nothing() -> None:
    built = zone(made(), dmarc="v=DMARC1; p=reject")
    seen = send(built)
    assert seen.folder == "Junk"
    (fact,) = seen.known.facts(DmarcChecked)
    assert (fact.result, fact.policy, fact.disposition) == ("fail", "reject", "quarantine")
    assert not seen.known.facts(DomainVerified)


def test_reject_is_obeyed_for_a_domain_that_an_administrator_names() -> None:
    built = zone(made(DmarcSettings(refuse=("b.test",))), dmarc="v=DMARC1; p=reject")
    with pytest.raises(MailError) as refusal:
        send(built)
    assert (refusal.value.code, refusal.value.enhanced) == (550, "5.7.26")


def test_a_second_reason_refuses() -> None:
    """The points of other filters reach the blocking score together with those of DMARC."""
    built = zone(made(RatingSettings(block_score=7.0)), dmarc="v=DMARC1; p=reject", spf="v=spf1 -all")
    with pytest.raises(MailError) as refusal:
        send(built)
    assert refusal.value.enhanced == "5.7.1"


def test_a_partner_who_signs_wrongly_can_be_trusted() -> None:
    built = zone(made(DmarcSettings(trust=(Domain("b.test"),))), dmarc="v=DMARC1; p=reject")
    assert send(built).folder == "INBOX"


def test_points_of_spf_and_its_words() -> None:
    seen = send(zone(made(), spf="v=spf1 -all"))
    assert [(symbol.name, symbol.score) for symbol in seen.known.symbols] == [("SPF_FAIL", 3.0)]
    assert seen.known.symbols[0].words == "b.test says that 192.0.2.66 may not send its mail"
    assert "spf=fail smtp.mailfrom=ann@b.test" in seen.results


def test_spf_refuses_where_it_is_set_so() -> None:
    built = zone(made(SpfSettings(on_fail="refuse")), spf="v=spf1 -all")
    with pytest.raises(MailError) as refusal:
        send(built)
    assert (refusal.value.code, refusal.value.enhanced) == (550, "5.7.23")


@pytest.mark.parametrize("when_down", ["pass", "defer"])
def test_a_name_server_that_is_down_gives_4xx_or_pass(when_down: str) -> None:
    sections = (SpfSettings(when_down=when_down), DmarcSettings(when_down=when_down))  # type: ignore[arg-type]
    built = made(*sections)
    built.names.add("b.test", "TXT", TIMEOUT)
    built.names.add("_dmarc.b.test", "TXT", TIMEOUT)
    for _ in range(5):
        if when_down == "pass":
            assert "spf=temperror" in send(built).results
        else:
            with pytest.raises(MailError) as refusal:
                send(built)
            assert refusal.value.code == 451
    assert built.policy.health.perfect  # Nobody switches a filter off for others by a server of his that is down.


def test_reports_are_judged_by_the_name_of_the_host() -> None:
    built = made()
    built.names.add("mail.b.test", "TXT", "v=spf1 ip4:192.0.2.66 -all")
    seen = send(built, sender="")
    assert "spf=pass smtp.helo=mail.b.test" in seen.results
    assert [fact.identity for fact in seen.known.facts(SpfChecked)] == ["helo"]


def test_users_are_not_judged_but_cannot_forge_results_either() -> None:
    built = zone(made(), spf="v=spf1 -all", dmarc="v=DMARC1; p=reject")
    host = built.config.section(SmtpSettings).hostname.encode()
    forged = b"Authentication-Results: %b; dkim=pass\r\n" % host
    seen = send(built, forged + MAIL, origin=Origin.SUBMISSION)
    assert not seen.known.symbols
    assert b"Authentication-Results" not in seen.content


@pytest.mark.parametrize(
    "forged",
    [
        b"Authentication-Results: {host}; dkim=pass header.d=bank.test\r\n",
        b"AUTHENTICATION-results : {HOST} 1; dkim=pass\r\n",
        b"Authentication-Results:\r\n\t(a (nested \\) one) comment)\r\n\t{host};\r\n\tdkim=pass\r\n",
        b'Authentication-Results: "{host}"; spf=pass\r\n',
        b'Authentication-Results: "{h\\ost}"; spf=pass\r\n',
        b"Authentication-Results: {host}.; spf=pass\r\n",
        b"Authentication-Results: (never ends {host}; spf=pass\r\n",
        b"Authentication-Results: {host}(x); spf=pass\r\n",
    ],
)
def test_results_that_strangers_wrote_in_our_name_go(forged: bytes) -> None:
    built = zone(made(), spf="v=spf1 -all")
    host = str(built.config.section(SmtpSettings).hostname).encode()
    forged = forged.replace(b"{host}", host).replace(b"{HOST}", host.upper())
    forged = forged.replace(b"{h\\ost}", host[:1] + b"\\" + host[1:])
    others = b"Authentication-Results: mx.other.test; dkim=pass\r\n"
    seen = send(built, forged + others + MAIL)
    assert seen.content.lower().count(b"authentication-results") == 2
    assert others + MAIL in seen.content
    assert "spf=fail" in seen.results


def test_behind_a_trusted_relay_the_host_before_it_is_asked_about() -> None:
    built = zone(made(TrustedRelaysSettings(hosts=(Network("192.0.2.66"),))), spf="v=spf1 ip4:198.51.100.7 -all")
    way = (
        b"Received: from backup.test (backup.test [192.0.2.66]) by x with ESMTP id 1; Tue, 24 Nov 2026\r\n"
        b"Received: from mail.b.test (mail.b.test [198.51.100.7])\r\n\tby backup.test with ESMTP id 2; Tue\r\n"
    )
    assert "spf=pass" in send(built, way + MAIL).results
    lie = way.replace(b"198.51.100.7", b"198.51.100.8")
    assert "spf=fail" in send(built, lie + MAIL).results
    unreadable = b"Received: by somebody\r\n"
    assert "spf=" not in send(built, unreadable + MAIL).results


def test_two_authors_prove_nothing_of_each_other() -> None:
    """Readers show the first or the last: the gravest policy of all counts, and no name is proven."""
    built = zone(made(), dmarc="v=DMARC1; p=none", key="b.test")
    built.names.add("_dmarc.bank.test", "TXT", "v=DMARC1; p=reject")
    content = signed(MAIL.replace(b"From: Ann <ann@b.test>", b"From: <ceo@bank.test>, Ann <ann@b.test>"))
    seen = send(built, content)
    assert seen.folder == "Junk"
    assert not domain_verified(seen.known, "bank.test")
    twice = signed(MAIL.replace(b"From: Ann <ann@b.test>", b"From: <ceo@bank.test>\r\nFrom: Ann <ann@b.test>"))
    assert send(built, twice).folder == "Junk"


def test_filters_that_are_off_say_nothing() -> None:
    off = [kind(enabled=False) for kind in (SpfSettings, DkimSettings, DmarcSettings)]
    built = zone(made(*off), spf="v=spf1 -all", dmarc="v=DMARC1; p=reject")
    seen = send(built, signed())
    assert not built.names.asked
    assert b"Authentication-Results" not in seen.content


@pytest.mark.parametrize("trust", [(), ("list.test",)])
def test_the_word_of_a_sealer_counts_where_it_is_trusted(trust: tuple[str, ...]) -> None:
    built = zone(made(ArcSettings(trust=tuple(map(Domain, trust)))), dmarc="v=DMARC1; p=reject", key="list.test")
    chain: list[tuple[bytes, bytes, bytes]] = []
    content = sealed(MAIL, ed_key("list.test"), chain, results=b"mx.list.test; spf=pass;\r\n\tdmarc=pass")
    seen = send(built, content, sender="bounce@list.test")
    assert "arc=pass" in seen.results
    assert seen.folder == ("INBOX" if trust else "Junk")
    assert send(built, content.replace(b"hello", b"hallo"), sender="bounce@list.test").folder == "Junk"


def test_facts_are_kept_for_a_message_that_the_queue_judges() -> None:
    built = zone(made(), spf="v=spf1 ip4:192.0.2.66 -all")

    async def run() -> None:
        tx = await built.begin("alice@example.test", sender="ann@b.test", client=CLIENT)
        text = kept(tx, without=built.policy.names(Stage.DATA))
        again = await built.begin("alice@example.test", sender="ann@b.test", client=CLIENT)
        again.known = Assessment()
        restore(again, text, built.policy.facts)
        assert again.known.facts(SpfChecked) == tx.known.facts(SpfChecked) != []

    asyncio.run(run())
