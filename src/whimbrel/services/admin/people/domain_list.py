"""`domain list` and `domain show`: domains, and what they hold (mission S34)."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from whimbrel.core.address import Domain
from whimbrel.core.directory import Entry, Kind
from whimbrel.core.errors import MailboxError
from whimbrel.core.mailbox import AccountId
from whimbrel.core.rights import Right
from whimbrel.services.admin.calls import Known, call, not_found
from whimbrel.services.admin.context import AdminContext, need
from whimbrel.services.admin.lists import After, Listed, Skip, Sort, columns_of, order_of, record_page
from whimbrel.services.admin.mail.usage import latest
from whimbrel.services.admin.numbers import MOST_LISTED
from whimbrel.services.admin.people.fields import answers, shown, view
from whimbrel.services.admin.people.people import PAGE, address_of, domain_named
from whimbrel.services.admin.people.records import DOMAIN
from whimbrel.services.admin.views import Octets

DomainView: Any = view(
    "DomainView",
    DOMAIN,
    "A domain; its values as they stand in the file, and how many records it holds. `storage` and `messages` are what "
    "its mailboxes hold, where that was asked for; of many mailboxes as of the latest count of all.",
    before=[("name", str)],
    after=[
        ("user_count", int), ("group_count", int), ("alias_count", int), ("storage", Octets | None),
        ("messages", int | None),
    ],
)  # fmt: skip
COUNTED: Final = {"user_count": Kind.USER, "group_count": Kind.GROUP, "alias_count": Kind.ALIAS}
"""Columns with numbers of records."""
COLUMNS: Final = columns_of(DOMAIN, "name", *COUNTED)
IN_LIST: Final = 500
"""Mailboxes that are looked into for one list."""
IN_DOMAIN: Final = 5_000
"""Mailboxes that are looked into for one domain."""

Counts = Mapping[str, Mapping[Kind, int]]
_NONE: Final[Mapping[Kind, int]] = {}


@call("domain", "list", reads=True, names=("domain", "name"), right=Right.ACCOUNTS, help="Lists the domains.")
@answers(Listed[DomainView])
async def domain_list(
    ctx: AdminContext,
    search: Annotated[str, "Part of the name or description."] = "",
    usage: Annotated[
        bool, f"Show what the mailboxes hold: counted now for {IN_LIST} users in all, of others as of the latest count."
    ] = False,
    sort: Sort = "",
    after: After = "",
    skip: Skip = 0,
    limit: Annotated[int, "Most to list.", MOST_LISTED] = 1000,
) -> Listed[Any]:
    counts = await ctx.editor.counts()
    kind = COUNTED.get(order_of(sort, tuple(COLUMNS)).column)
    ranks = {name: float(held.get(kind, 0)) for name, held in counts.items()} if kind is not None else None
    page = await record_page(
        ctx, DOMAIN, COLUMNS, sort=sort, search=search, after=after, skip=skip, limit=limit, ranks=ranks
    )
    rows, left = [], IN_LIST if usage else -1
    known = await _counted(ctx) if usage else {}
    for domain in page.entries:
        users = counts.get(domain.domain, _NONE).get(Kind.USER, 0)
        storage = await _storage(ctx, domain.domain) if users <= left else None
        left -= users if storage is not None else 0
        if storage is None and usage:
            storage = known.get(domain.domain)
        rows.append(_view(domain, counts, storage))
    return Listed(tuple(rows), page.more, page.total)


@call("domain", "show", reads=True, right=Right.ACCOUNTS, help="Shows a domain.")
@answers(DomainView)
async def domain_show(
    ctx: AdminContext,
    name: Annotated[Domain, "Name of the domain, such as example.org.", Known("domain")],
    usage: Annotated[
        bool,
        f"Show what the mailboxes hold: counted now if they are at most {IN_DOMAIN}, else by the latest count.",
    ] = False,
) -> Any:
    domain = await domain_named(ctx, name)
    entry = await ctx.editor.entry(Kind.DOMAIN, domain)
    if entry is None:
        not_found("domain", domain)
    counts = await ctx.editor.counts()
    few = counts.get(domain, _NONE).get(Kind.USER, 0) <= IN_DOMAIN
    if not usage:
        return _view(entry, counts, None)
    return _view(entry, counts, await _storage(ctx, domain) if few else (await _counted(ctx)).get(domain))


def _view(entry: Entry, counts: Counts, storage: tuple[int, int] | None) -> Any:
    held = counts.get(entry.domain, _NONE)
    return DomainView(
        name=entry.domain,
        **shown(DOMAIN, entry),
        **{column: held.get(kind, 0) for column, kind in COUNTED.items()},
        storage=None if storage is None else Octets(storage[0]),
        messages=None if storage is None else storage[1],
    )


async def _counted(ctx: AdminContext) -> dict[str, tuple[int, int]]:
    """What the latest count of all mailboxes came to, by domain."""
    if ctx.state is None:
        return {}
    return {each.name: (int(each.size), each.messages) for each in (await latest(ctx.state)).domains}


async def _storage(ctx: AdminContext, domain: str) -> tuple[int, int]:
    """Octets and messages in the mailboxes of a domain."""
    store = need(ctx.store, "Counting mail")
    octets, messages, after = 0, 0, ""
    while page := await ctx.editor.entries(Kind.USER, domain=domain, after=after, limit=PAGE):
        for user in page:
            try:
                usage = await store.usage(AccountId(address_of(user).casefold()))
            except MailboxError:  # No mail has come yet; a list makes no mailbox.
                continue
            octets, messages = octets + usage.bytes, messages + usage.messages
        after = address_of(page[-1])
        if len(page) < PAGE:
            break
    return octets, messages
