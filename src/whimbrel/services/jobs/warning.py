"""Tells a user that the mailbox is nearly full: once when it gets there, and again only after it was emptier.

Standards: RFC 3834 5 (Auto-Submitted), RFC 5322 3.6
"""

from dataclasses import dataclass
from typing import Final

from whimbrel.core.address import Address
from whimbrel.core.directory import Account
from whimbrel.core.envelope import Envelope, MailOptions, Notify, Recipient
from whimbrel.core.errors import MailError
from whimbrel.core.intake import Internal
from whimbrel.core.mailbox import Limit, Usage
from whimbrel.core.quota import FULL, WARNED, limit_of
from whimbrel.core.values import Size
from whimbrel.flow.placement.quota import QuotaSettings
from whimbrel.flow.report.reports import ReportSettings
from whimbrel.flow.settings import SmtpSettings
from whimbrel.mail.writing.compose import field, mailbox, text_part, token_field
from whimbrel.services.jobs.job import JobContext

NEAR: Final = "near"
BACK: Final = 5
"""So many points below the mark a mailbox must fall before it can be warned of again."""


@dataclass(frozen=True, slots=True)
class Words:
    sender: str
    subject: str
    text: str


WORDS: Final = {
    "en": Words(
        "Mail server",
        "Your mailbox is {percent}% full",
        "The mailbox {address} is {percent}% full: it holds {used} of {limit}.\n\n"
        "Once it is full it takes no more mail. Please delete what you no longer need, and empty the folder of "
        "deleted mail.\n",
    ),
    "de": Words(
        "Mailserver",
        "Ihr Postfach ist zu {percent} % voll",
        "Das Postfach {address} ist zu {percent} % voll: es enthält {used} von {limit}.\n\n"
        "Ist es voll, nimmt es keine Nachrichten mehr an. Bitte löschen Sie, was Sie nicht mehr brauchen, und leeren "
        "Sie den Ordner mit gelöschten Nachrichten.\n",
    ),
    "fr": Words(
        "Serveur de messagerie",
        "Votre boîte aux lettres est pleine à {percent} %",
        "La boîte {address} est pleine à {percent} % : elle contient {used} sur {limit}.\n\n"
        "Une fois pleine, elle n'accepte plus de courrier. Supprimez ce dont vous n'avez plus besoin et videz le "
        "dossier des éléments supprimés.\n",
    ),
    "es": Words(
        "Servidor de correo",
        "Su buzón está lleno al {percent} %",
        "El buzón {address} está lleno al {percent} %: contiene {used} de {limit}.\n\n"
        "Cuando esté lleno no aceptará más correo. Elimine lo que ya no necesite y vacíe la carpeta de elementos "
        "eliminados.\n",
    ),
}


async def judge(ctx: JobContext, account: Account, usage: Usage) -> None:
    """What an account with a quota holds was counted: logs and warns if it crossed a mark. MailError."""
    limit = limit_of(account)
    percent = limit.percent(usage)
    warn_at = ctx.config.section(QuotaSettings).warn_at
    known = await ctx.state.get(WARNED, account.id) or ""
    now = FULL if percent >= 100 else NEAR if 0 < warn_at <= percent else ""
    if now == known:
        return
    if now == "":
        if percent < (warn_at or 100) - BACK:
            await ctx.state.delete(WARNED, account.id)
            ctx.log.info("quota.relieved", account=account.id, percent=percent)
        return
    if warn_at and known == "":
        try:
            await _send(ctx, account, limit, usage, percent)
        except MailError as error:
            ctx.log.warning("quota.warning-failed", account=account.id, status=str(error))
            if error.temporary:
                return  # At its next change, or in the next round.
    await ctx.state.set(WARNED, account.id, now)
    if now == FULL:
        ctx.log.info("quota.full", account=account.id, percent=percent, size=usage.bytes, messages=usage.messages)
    elif known == "":
        ctx.log.info("quota.near", account=account.id, percent=percent, size=usage.bytes, messages=usage.messages)


async def _send(ctx: JobContext, account: Account, limit: Limit, usage: Usage, percent: int) -> None:
    also = ctx.config.section(QuotaSettings).warn_also
    to = [account.address, *([Address.parse(also)] if also else [])]
    silent = frozenset({Notify.NEVER})
    # The null reverse-path: a warning is never answered, and reaches a mailbox that is full already.
    envelope = Envelope(
        None, tuple(Recipient(each, silent) for each in to), MailOptions(utf8=not account.address.ascii)
    )
    await ctx.intake.submit(Internal(envelope, ctx.spool.hold(_message(ctx, account, limit, usage, percent))))


def _message(ctx: JobContext, account: Account, limit: Limit, usage: Usage, percent: int) -> bytes:
    language = ctx.config.section(ReportSettings).language
    language = language if language in WORDS else "en"
    words = WORDS[language]
    hostname = ctx.config.section(SmtpSettings).hostname
    by_size = bool(limit.bytes) and 100 * usage.bytes // limit.bytes >= percent
    used = _size(usage.bytes) if by_size else str(usage.messages)
    most = _size(limit.bytes) if by_size else str(limit.messages)
    address = str(account.address)
    values = {"percent": percent, "address": address, "used": used, "limit": most}
    return b"".join(
        (
            token_field("From", mailbox(words.sender, f"postmaster@{account.address.domain}")),
            token_field("To", mailbox(account.full_name, address)),
            field("Subject", words.subject.format(**values)),
            token_field("Date", ctx.clock.date()),
            token_field("Message-ID", ctx.ids.message_id(hostname)),
            token_field("Auto-Submitted", "auto-generated"),
            token_field("MIME-Version", "1.0"),
            text_part(words.text.format(**values), language=language),
        )
    )


def _size(octets: int) -> str:
    for unit, factor in (("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)):
        if octets >= factor:
            return f"{octets / factor:.1f} {unit}"
    return str(Size(octets))
