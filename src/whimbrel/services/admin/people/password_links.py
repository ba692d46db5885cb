"""Calls about links by which a user sets the own password, so that no administrator has to know it."""

from dataclasses import dataclass
from typing import Annotated, Final

from whimbrel.core.address import Address
from whimbrel.core.directory import Account, Entry, Kind, TargetKind
from whimbrel.core.errors import MailError
from whimbrel.core.mailbox import AccountId
from whimbrel.core.password_links import LONGEST, SHORTEST, PasswordLink
from whimbrel.core.rights import Right
from whimbrel.services.admin.access.link_rules import PATH, credential_of, digest, new_secret, void
from whimbrel.services.admin.calls import CallError, Failure, FieldFault, Known, Needs, call
from whimbrel.services.admin.context import AdminContext, need
from whimbrel.services.admin.people.people import address_of, entry
from whimbrel.services.admin.people.users import may_change, rights_of
from whimbrel.services.admin.permission import demand_password
from whimbrel.services.admin.server.moments import shown, span
from whimbrel.services.admin.views import Done, Moment, done
from whimbrel.services.session.account_ids import account_id

_LINKS: Final = "A link to set a password"
Name = Annotated[str, "name@domain; a bare name is one of the primary domain.", Known("user")]


@dataclass(frozen=True, slots=True)
class LinkMade:
    """`link` is shown this once."""

    link: str
    address: str
    expires: Moment
    sent_to: str
    """The address that it was mailed to; empty: it has to be handed over."""


@call(
    "user",
    "password-link",
    right=Right.ACCOUNTS,
    needs=Needs.SERVER,
    shows="link",
    help="Makes a link by which a user sets the own password, once; it is shown this once. It ends when it was used, "
    "the password is set otherwise, the user is disabled, removed or renamed, or a newer one is made.",
)
async def user_password_link(
    ctx: AdminContext,
    name: Name,
    mail_to: Annotated[str, "Mail it to this address, which the user can read already."] = "",
    expires: Annotated[str, "How long it can be used, such as 3d; empty: security/password-link-expires."] = "",
) -> LinkMade:
    user = await entry(ctx, Kind.USER, name)
    may_change(ctx, user)
    if rights_of(user).grants:
        demand_password(ctx.caller, "The password of an administrator")
    now, links, state = ctx.clock.now(), need(ctx.password_links, _LINKS), need(ctx.state, _LINKS)
    account, until = await _account(ctx, user), now + _lasts(ctx, expires)
    to, base = await _to(ctx, mail_to, account), console_address(ctx)
    if ctx.dry_run:
        return LinkMade("", address_of(user), Moment(until), to)
    caller, secret = ctx.caller, new_secret()
    home = caller.grants.own
    link = PasswordLink(
        str(account.id), digest(secret), await account_id(state, account.id), credential_of(account),
        "" if caller.token else caller.account, tuple(sorted(caller.grants.grants)), str(home) if home else "", to,
        now, until,
    )  # fmt: skip
    if why := await void(ctx, link, account):
        raise CallError(Failure.REFUSED, f"A link would open nothing: {why}")
    await links.change(add=[link])
    url = f"{base}{PATH}#{secret}"
    if to:
        await _mailed(ctx, link, account, url)
    ctx.log.info("signin.link-made", user=account.id, by=caller.name, sent_to=to, expires=shown(until))
    return LinkMade(url, address_of(user), Moment(until), to)


@call(
    "user", "password-link-revoke", right=Right.ACCOUNTS,
    help="Ends the link by which a user could set the own password.",
)  # fmt: skip
async def user_password_link_revoke(ctx: AdminContext, name: Name) -> Done:
    user = await entry(ctx, Kind.USER, name)
    may_change(ctx, user)
    links, key = need(ctx.password_links, _LINKS), address_of(user).casefold()
    if all(each.account != key for each in await links.links()):
        raise CallError(Failure.NOT_FOUND, f"{address_of(user)} has no link to set a password that could still be used")
    if not ctx.dry_run:
        await links.change(remove=[key])
        ctx.log.info("signin.link-ended", user=key, reason=f"revoked by {ctx.caller.name}", origin=ctx.caller.origin)
    return done(ctx.dry_run, f"The link of {address_of(user)} to set a password", "revoked")


async def _account(ctx: AdminContext, user: Entry) -> Account:
    """CallError."""
    account = await ctx.directory.account(AccountId(address_of(user).casefold()))
    if account is None:
        raise CallError(Failure.UNAVAILABLE, f"{address_of(user)} cannot be looked up at this moment; try again")
    if account.shut_out:
        raise CallError(
            Failure.REFUSED,
            f"{address_of(user)} {account.shut_out}, so a link opens nothing: `whimbrel user enable` first",
        )
    return account


def _lasts(ctx: AdminContext, text: str) -> float:
    """Seconds. CallError."""
    from whimbrel.services.session.settings import SecuritySettings  # Here: the command line's client needs it not.

    if not text.strip():
        return float(ctx.config.section(SecuritySettings).password_link_expires)
    try:
        seconds = span(text)
    except ValueError as error:
        raise _fault("expires", str(error)) from None
    if not SHORTEST <= seconds <= LONGEST:
        raise _fault("expires", f"'{text.strip()[:50]}' is not between 5m and 30d: give 3d, for example")
    return seconds


async def _to(ctx: AdminContext, text: str, account: Account) -> str:
    """Where it is mailed to. CallError"""
    if not text.strip():
        return ""
    try:
        address = Address.parse(text.strip())
    except ValueError as error:
        raise _fault("mail_to", str(error)) from None
    try:
        target = await ctx.directory.resolve(address)
    except MailError as error:
        raise CallError(Failure.UNAVAILABLE, error.text) from None
    own = target is not None and target.kind is TargetKind.ACCOUNT and target.account is not None
    if own and target is not None and target.account is not None and target.account.id == account.id:
        raise _fault(
            "mail_to", f"{address} is the mailbox that the link opens: name an address that the user can read already"
        )
    return str(address)


def console_address(ctx: AdminContext) -> str:
    """`https://mail.example.org:44337`. CallError: the console is switched off."""
    from whimbrel.flow.settings import SmtpSettings
    from whimbrel.services.session.services import ServicesSettings, console_url

    console = ctx.config.section(ServicesSettings).named("console")
    url = console_url(ctx.config.section(SmtpSettings).hostname, console.listen) if console.enabled else ""
    if not url:
        raise CallError(
            Failure.REFUSED,
            "The page that the link opens is the console's, which is switched off: `whimbrel config set "
            "services/console/enabled yes`",
        )
    return url


async def _mailed(ctx: AdminContext, link: PasswordLink, account: Account, url: str) -> None:
    """CallError: it was not taken in, and nobody has the link."""
    from whimbrel.flow.report.reports import ReportSettings
    from whimbrel.flow.settings import SmtpSettings
    from whimbrel.services.admin.people.link_letter import letter

    language = ctx.config.section(ReportSettings).language
    subject, text = letter(
        language, str(account.address), ctx.config.section(SmtpSettings).hostname, url, shown(link.expires)
    )
    try:
        await need(ctx.probes, "Mailing a link").post.send((link.sent_to,), subject, text, language=language)
    except (MailError, CallError, OSError, ValueError) as error:
        await need(ctx.password_links, _LINKS).change(remove=[link.account])
        why = error.text if isinstance(error, MailError | CallError) else str(error)
        raise CallError(
            Failure.REFUSED,
            f"The link could not be mailed to {link.sent_to} and is void: {why}",
            FieldFault("mail_to", why),
        ) from None


def _fault(name: str, text: str) -> CallError:
    return CallError(Failure.USAGE, f"{name}: {text}", FieldFault(name, text))
