"""`domain dkim ...`: the keys with which mail of a domain is signed, and what is to be published of them.

New keys are prepared: they sign once their records are published, which control looks for by itself, or when a person
says so. Those before them are retired, and removed when no mail is on its way any more that they signed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from whimbrel.core.address import Domain
from whimbrel.core.config import ConfigError
from whimbrel.core.errors import MailError
from whimbrel.core.net import NoSuchName, Resolver
from whimbrel.core.signing import RETIRED_DAYS, Generation, KeyRing, KeyState, PublicHalf
from whimbrel.mail.auth.tags import TagError, packed, tags
from whimbrel.services.admin.calls import CallError, Failure, Known, call, not_found
from whimbrel.services.admin.context import AdminContext, need
from whimbrel.services.admin.people.people import domain_named
from whimbrel.services.admin.views import Done, Moment, Page, TextView, Words, done

Name = Annotated[Domain, "Name of the domain, such as example.org.", Known("domain")]
GenerationName = Annotated[str, "Name of the keys, such as w20261130; `whimbrel domain dkim` lists them."]
Published = Literal["yes", "no", "other", "unknown"]
_KEYS: Final = "Keys"
_STRING: Final = 255
"""Octets of one string of a TXT record. RFC 1035 3.3"""


@dataclass(frozen=True, slots=True)
class DomainKey:
    """One key. `keys`: those it was made with; `state`: prepared, signing or retired, `since` then. `published`: yes;
    no; other (a record of this name has another key); unknown (the name system does not answer, or nobody asked)."""

    keys: str
    state: str
    since: Moment
    algorithm: str
    published: str
    name: str
    record: Words


@call("domain", "dkim", help="Lists the keys that sign a domain's mail, and the records to publish.", reads=True)
async def domain_dkim(ctx: AdminContext, name: Name) -> Page[DomainKey]:
    domain = await domain_named(ctx, name)
    listed: list[DomainKey] = []
    for generation in await _generations(ctx, domain):
        for half in generation.keys:
            listed.append(
                DomainKey(
                    generation.name,
                    generation.state,
                    Moment(generation.since),
                    half.algorithm,
                    await published(ctx.resolver, domain, half),
                    record_name(domain, half),
                    half.record,
                )
            )
    return Page(tuple(listed))


@call("domain", "dkim-records", help="The DKIM records to publish for a domain, as lines of a zone file.", reads=True)
async def domain_dkim_records(ctx: AdminContext, name: Name) -> TextView:
    domain = await domain_named(ctx, name)
    lines = [
        f"{record_name(domain, half)}. IN TXT {_strings(half.record)}"
        for generation in await _generations(ctx, domain)
        for half in generation.keys
    ]
    if not lines:
        not_found("DKIM key of", domain, f"; make some with `whimbrel domain dkim-generate {domain}`")
    return TextView("\n".join(lines))


@call(
    "domain", "dkim-generate", help="Makes new keys for a domain, RSA and Ed25519. They sign once they are published."
)
async def domain_dkim_generate(
    ctx: AdminContext,
    name: Name,
    now: Annotated[bool, "Sign with them at once, although nobody can verify it before they are published."] = False,
) -> Done:
    domain = await domain_named(ctx, name)
    state: KeyState = "signing" if now else "prepared"
    if any(generation.state == "prepared" for generation in await _generations(ctx, domain)):
        raise CallError(
            Failure.REFUSED,
            f"{domain} has keys that are prepared already: publish their records, or remove them with "
            f"`whimbrel domain dkim-remove`",
        )
    made = ""
    if not ctx.dry_run:
        try:
            generation = await need(ctx.keys, _KEYS).make(domain, state)
        except ConfigError as error:
            raise CallError(Failure.REFUSED, str(error)) from None
        made = f" {generation.name}"
        _log(ctx, domain, generation.name, state)
    rest = f"; publish the records that `whimbrel domain dkim-records {domain}` prints"
    return done(ctx.dry_run, f"Keys{made} of {domain}", "made", rest)


@call("domain", "dkim-use", help="Signs a domain's mail with prepared or former keys from now on.")
async def domain_dkim_use(
    ctx: AdminContext,
    name: Name,
    keys: GenerationName,
    unpublished: Annotated[bool, "Although their records are not published, so that nobody can verify it."] = False,
) -> Done:
    domain = await domain_named(ctx, name)
    generation = await _named(ctx, domain, keys)
    if generation.state == "signing":
        return Done(f"{domain} is signed with {keys} already")
    if not unpublished:
        for half in generation.keys:
            if (answer := await published(ctx.resolver, domain, half)) != "yes":
                why = {"no": "is not published", "other": "is published with another key"}.get(
                    answer, "was not to be had"
                )
                raise CallError(
                    Failure.REFUSED,
                    f"The record {record_name(domain, half)} {why}: others could not verify what is signed with it",
                )
    if not ctx.dry_run:
        await _changed(ctx, domain, keys, "signing")
    return done(ctx.dry_run, f"Mail of {domain}", f"signed with {keys} from now on")


async def _ask_remove(ctx: AdminContext, name: str, keys: str) -> str:
    domain = await domain_named(ctx, name)
    generation = await _named(ctx, domain, keys)
    if generation.state == "signing":
        return f"Mail of {domain} will not be signed any more. Remove its keys {keys}?"
    return f"Remove the keys {keys} of {domain}?"


@call("domain", "dkim-remove", help="Removes keys of a domain for good.", confirm=_ask_remove)
async def domain_dkim_remove(ctx: AdminContext, name: Name, keys: GenerationName) -> Done:
    domain = await domain_named(ctx, name)
    await _named(ctx, domain, keys)
    if not ctx.dry_run:
        try:
            await need(ctx.keys, _KEYS).remove(domain, keys)
        except ConfigError as error:
            raise CallError(Failure.REFUSED, str(error)) from None
        _log(ctx, domain, keys, "removed")
    return done(ctx.dry_run, f"Keys {keys} of {domain}", "removed")


async def forget_keys(ctx: AdminContext, domain: str) -> None:
    """Those of a domain that is removed: nothing is signed in its name any more, nor if it comes back."""
    if ctx.keys is None or ctx.dry_run:
        return
    try:
        for generation in await ctx.keys.generations(domain):
            await ctx.keys.remove(domain, generation.name)
            _log(ctx, domain, generation.name, "removed")
    except ConfigError as error:
        ctx.warnings.append(f"The keys of {domain} could not be removed: {error}")


# What the job uses too


async def advance(ring: KeyRing, resolver: Resolver, domain: str, now: float) -> tuple[str, str] | None:
    """Signs with prepared keys that are published, and removes those that were retired long ago: what was done, as the
    name of the keys and their new state. ConfigError"""
    for generation in await ring.generations(domain):
        if generation.state == "prepared":
            answers = [await published(resolver, domain, half) for half in generation.keys]
            if all(answer == "yes" for answer in answers):
                await ring.move(domain, generation.name, "signing")
                return generation.name, "signing"
        elif generation.state == "retired" and generation.since + RETIRED_DAYS * 86400 < now:
            await ring.remove(domain, generation.name)
            return generation.name, "removed"
    return None


def record_name(domain: str, half: PublicHalf) -> str:
    """RFC 6376 3.6.2.1"""
    return f"{half.selector}._domainkey.{domain}"


async def published(resolver: Resolver | None, domain: str, half: PublicHalf) -> Published:
    if resolver is None:
        return "unknown"
    try:
        texts = await resolver.txt(record_name(domain, half))
    except NoSuchName:
        return "no"
    except MailError:
        return "unknown"
    if not texts:
        return "no"
    return "yes" if all(_key_of(text) == _key_of(half.record) for text in texts) else "other"


def _key_of(record: str) -> str:
    try:
        return packed(tags(record).get("p", ""))
    except TagError:
        return ""


# Inside


async def _generations(ctx: AdminContext, domain: str) -> Sequence[Generation]:
    try:
        return await need(ctx.keys, _KEYS).generations(domain)
    except ConfigError as error:
        raise CallError(Failure.FAILED, str(error)) from None


async def _named(ctx: AdminContext, domain: str, keys: str) -> Generation:
    for generation in await _generations(ctx, domain):
        if generation.name == keys:
            return generation
    return not_found(f"key of {domain} called", keys, f"; `whimbrel domain dkim {domain}` lists them")


async def _changed(ctx: AdminContext, domain: str, keys: str, state: KeyState) -> None:
    try:
        await need(ctx.keys, _KEYS).move(domain, keys, state)
    except ConfigError as error:
        raise CallError(Failure.REFUSED, str(error)) from None
    _log(ctx, domain, keys, state)


def _log(ctx: AdminContext, domain: str, keys: str, state: str) -> None:
    ctx.log.info("dkim.keys", domain=domain, keys=keys, state=state, user=ctx.caller.name)


def _strings(record: str) -> str:
    return " ".join(f'"{record[at : at + _STRING]}"' for at in range(0, len(record), _STRING))
