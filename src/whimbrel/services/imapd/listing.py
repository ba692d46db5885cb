"""Handlers of LIST and LSUB.

Standards: RFC 3501 6.3.8, 6.3.9, 7.2.2; RFC 3348 (CHILDREN), RFC 5258 (LIST-EXTENDED), RFC 5819 (LIST-STATUS),
RFC 6154 (SPECIAL-USE), RFC 9590 (LIST-METADATA)
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from whimbrel.core.mailbox import DELIMITER
from whimbrel.protocols.imap import listing as grammar
from whimbrel.protocols.imap import responses
from whimbrel.protocols.imap.engine import Done
from whimbrel.protocols.imap.metadata import response
from whimbrel.services.imapd.offer import Offer, serves
from whimbrel.services.imapd.patterns import MailboxPattern, matching
from whimbrel.services.imapd.session import Session, done
from whimbrel.services.imapd.status import status_line
from whimbrel.services.session.namespaces import Mailbox


@dataclass(frozen=True, slots=True)
class _Name:
    """A mailbox name that is or might be shown. `folder` None: there is no such folder (any more)."""

    name: str
    folder: Mailbox | None


def _line(session: Session, kind: bytes, attributes: Iterable[str], name: str, extended: bytes = b"") -> bytes:
    return b"* %b\r\n" % responses.listed(kind, attributes, session.mailbox(name), extended)


def parents(names: Iterable[str]) -> set[str]:
    """Every level above one of `names`."""
    levels: set[str] = set()
    for name in names:
        at = name.rfind(DELIMITER)
        while at > 0 and name[:at] not in levels:
            levels.add(name[:at])
            at = name.rfind(DELIMITER, 0, at)
    return levels


def attributes(folder: Mailbox, *, children: bool) -> list[str]:
    words = [] if folder.selectable else ["\\Noselect"]
    words.append("\\HasChildren" if children else "\\HasNoChildren")
    if folder.special_use is not None:
        words.append(f"\\{folder.special_use.value}")
    return words


async def list_(session: Session, command: grammar.List) -> Done:
    if command.patterns == ("",) and not command.extended:
        # RFC 3501 6.3.8: asks for the delimiter and the root of the reference.
        root = DELIMITER if command.reference.startswith(DELIMITER) else ""
        await session.write(_line(session, b"LIST", ("\\Noselect",), root))
        return done(command)
    folders = await session.mailboxes.list()
    if not command.extended:
        pattern = MailboxPattern(command.reference + command.patterns[0])
        shown = await matching((folder.name for folder in folders), (pattern,))
        above = parents(folder.name for folder in folders)
        lines = [
            _line(session, b"LIST", attributes(folder, children=folder.name in above), folder.name)
            for folder in folders
            if folder.name in shown
        ]
        await session.write(b"".join(lines))
        return done(command)
    await _extended(session, command, folders)
    return done(command)


async def _extended(session: Session, command: grammar.List, folders: Collection[Mailbox]) -> None:
    patterns = [MailboxPattern(command.reference + pattern) for pattern in command.patterns if pattern]
    subscribed = frozenset(await session.mailboxes.subscriptions())
    names = {folder.name: _Name(folder.name, folder) for folder in folders}
    if b"SUBSCRIBED" in command.select:
        # RFC 5258 3.1: subscribed names that no folder has are shown, too.
        names |= {name: _Name(name, None) for name in subscribed.difference(names)}
    above = parents(folder.name for folder in folders)
    chosen = {name for name, entry in names.items() if _selected(command.select, entry, subscribed)}
    shown = await matching(names, patterns)
    recursive = b"RECURSIVEMATCH" in command.select
    hidden_below = parents(chosen - shown) if recursive else set[str]()
    levels = hidden_below - names.keys()
    names |= {name: _Name(name, None) for name in levels}
    shown |= await matching(levels, patterns)
    listed = [names[name] for name in _in_order(names) if name in shown and (name in chosen or name in hidden_below)]
    statuses = await session.mailboxes.statuses() if command.status else {}
    if b"HIGHESTMODSEQ" in command.status:
        await session.enable((b"CONDSTORE",))
    subscriptions_shown = b"SUBSCRIBED" in command.returns or b"SUBSCRIBED" in command.select
    child_info = responses.child_info(option for option in (b"SPECIAL-USE", b"SUBSCRIBED") if option in command.select)
    # RFC 5258 3.5: what meets the criteria itself always has CHILDINFO, other names only where it is not redundant.
    with_info = hidden_below | (parents(chosen) & chosen if recursive else set[str]())
    for entry in listed:
        words = _attributes(entry, entry.name in above)
        if subscriptions_shown and entry.name in subscribed:
            words.append("\\Subscribed")
        line = _line(session, b"LIST", words, entry.name, child_info if entry.name in with_info else b"")
        # RFC 5819 2, RFC 9590 3: what describes a mailbox comes right behind its LIST response.
        if entry.folder is not None and entry.folder.selectable:
            if command.status and entry.folder.ref.mailbox in statuses:
                status = statuses[entry.folder.ref.mailbox]
                line += b"* %b\r\n" % await status_line(session, entry.folder, status, command.status)
            if command.metadata:
                line += b"* %b\r\n" % await _metadata(session, entry.folder, command.metadata)
        await session.write(line)


def _selected(select: Collection[bytes], entry: _Name, subscribed: Collection[str]) -> bool:
    if b"SUBSCRIBED" in select and entry.name not in subscribed:
        return False
    return not (b"SPECIAL-USE" in select and (entry.folder is None or entry.folder.special_use is None))


def _attributes(entry: _Name, children: bool) -> list[str]:
    if entry.folder is not None:
        return attributes(entry.folder, children=children)
    return ["\\NonExistent", "\\HasChildren" if children else "\\HasNoChildren"]


def _in_order(names: Mapping[str, _Name]) -> list[str]:
    """Folders as the store orders them, then names without a folder."""
    missing = sorted(name for name, entry in names.items() if not entry.folder)
    return [name for name, entry in names.items() if entry.folder] + missing


async def _metadata(session: Session, folder: Mailbox, entries: Iterable[str]) -> bytes:
    """NIL for what has no value. RFC 9590 3"""
    there = await session.mailboxes.annotations(folder)
    return response(session.mailbox(folder.name), [(entry, there.get(entry)) for entry in entries])


async def lsub(session: Session, command: grammar.Lsub) -> Done:
    pattern = MailboxPattern(command.reference + command.pattern)
    names = await session.mailboxes.subscriptions()
    known = {folder.name: folder for folder in await session.mailboxes.list()}
    shown = await matching(names, (pattern,))
    levels = parents(set(names) - shown).difference(names)
    shown |= await matching(levels, (pattern,))
    lines: dict[str, bytes] = {}
    for name in names:
        if name in shown:
            folder = known.get(name)
            words = () if folder is None or folder.selectable else ("\\Noselect",)
            lines[name] = _line(session, b"LSUB", words, name)
    # `%` that stops above a subscribed name shows the level it stopped at. RFC 3501 6.3.9
    for name in levels:
        if name in shown:
            lines[name] = _line(session, b"LSUB", ("\\Noselect",), name)
    await session.write(b"".join([lines[name] for name in sorted(lines)]))
    return done(command)


OFFER = Offer(
    handlers=dict((serves(grammar.List, list_), serves(grammar.Lsub, lsub))),
    capabilities=(b"CHILDREN", b"LIST-EXTENDED", b"LIST-STATUS", b"LIST-METADATA", b"SPECIAL-USE"),
)
