"""What users and domains hold of what they may hold."""

from dataclasses import dataclass
from typing import Annotated

from whimbrel.core.directory import Kind
from whimbrel.core.mailbox import AccountId, Limit, Usage
from whimbrel.core.quota import limit_of
from whimbrel.core.rights import Right
from whimbrel.services.admin.calls import Known, Needs, Own, call, not_found
from whimbrel.services.admin.context import AdminContext, need
from whimbrel.services.admin.people.people import address_of, entry
from whimbrel.services.admin.views import Octets


@dataclass(frozen=True, slots=True)
class QuotaView:
    """A mailbox and its domain; limits of 0 are none. A domain is counted only if it has a quota (`domain_counted`),
    and its figures lag by seconds."""

    address: str
    bytes: Octets
    quota: Octets
    messages: int
    quota_messages: int
    percent: int
    domain: str
    domain_counted: bool
    domain_bytes: Octets
    domain_quota: Octets
    domain_messages: int
    domain_quota_messages: int


@call(
    "user",
    "quota",
    reads=True,
    right=Right.ACCOUNTS,
    own=Own("name"),
    needs=Needs.SERVER,
    help="Shows what a user's mailbox holds.",
)
async def user_quota(
    ctx: AdminContext,
    name: Annotated[str, "name@domain; a bare name is one of the primary domain.", Known("user")],
) -> QuotaView:
    user = await entry(ctx, Kind.USER, name)
    account = await ctx.directory.account(AccountId(address_of(user).casefold()))
    if account is None:
        not_found("user", address_of(user))
    usage = await need(ctx.folders, "Counting mail").usage(account.id)
    limit = limit_of(account)
    domain = await ctx.quotas.domain(user.domain) if ctx.quotas is not None else None
    most = domain.limit if domain is not None else Limit(0, 0)
    counted = domain.usage if domain is not None else None
    held = counted or Usage(0, 0)
    return QuotaView(
        address=address_of(user),
        bytes=Octets(usage.bytes),
        quota=Octets(limit.bytes),
        messages=usage.messages,
        quota_messages=limit.messages,
        percent=limit.percent(usage),
        domain=user.domain,
        domain_counted=counted is not None,
        domain_bytes=Octets(held.bytes),
        domain_quota=Octets(most.bytes),
        domain_messages=held.messages,
        domain_quota_messages=most.messages,
    )
