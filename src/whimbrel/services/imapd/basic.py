"""Handlers of commands that any state has: CAPABILITY, NOOP, CHECK, LOGOUT, ID, ENABLE, NAMESPACE.

Standards: RFC 3501 6.1, 6.4.1; RFC 2971, RFC 5161, RFC 2342
"""

from whimbrel.protocols.imap import basic, encode, responses
from whimbrel.protocols.imap.engine import Done
from whimbrel.services.imapd.offer import Offer, serves
from whimbrel.services.imapd.session import Session, done
from whimbrel.services.session.namespaces import Kind


async def capability(session: Session, command: basic.Capability) -> Done:
    await session.untagged(responses.capability(session.capabilities()))
    return done(command)


async def noop(session: Session, command: basic.Noop | basic.Check) -> Done:
    if session.hears:
        await session.sync(expunge=True, always=True)
    return done(command)


async def logout(session: Session, command: basic.Logout) -> Done:
    session.connection.asked = True
    await session.bye("Signing out")
    return done(command)


async def ident(session: Session, command: basic.Id) -> Done:
    said = {key.lower(): value.decode("utf-8", "replace")[:100] for key, value in command.fields}
    session.log.debug("imap.client", name=said.get(b"name", ""), version=said.get(b"version", ""))
    # RFC 2971 3.3: no more than a name is said to strangers.
    await session.untagged(responses.identity(b"Whimbrel"))
    return done(command)


async def enable(session: Session, command: basic.Enable) -> Done:
    known = session.ports.offered.enable
    here = session.capabilities().upper().split()
    names = [name for name in command.capabilities if name in known and name in here]
    await session.untagged(responses.enabled(names))
    await session.enable(names)
    return done(command)


async def namespace(session: Session, command: basic.Namespace) -> Done:
    prefixes: dict[Kind, list[bytes]] = {kind: [] for kind in Kind}
    for space in session.mailboxes.namespaces:
        prefixes[space.kind].append(encode.mailbox_text(space.prefix, utf8=session.mode.utf8))
    await session.untagged(responses.namespaces(prefixes.values()))
    return done(command)


OFFER = Offer(
    handlers=dict(
        (
            serves(basic.Capability, capability),
            serves(basic.Noop, noop),
            serves(basic.Check, noop),
            serves(basic.Logout, logout),
            serves(basic.Id, ident),
            serves(basic.Enable, enable),
            serves(basic.Namespace, namespace),
        )
    ),
    capabilities=(b"LITERAL+", b"ID", b"ENABLE", b"NAMESPACE"),
)
