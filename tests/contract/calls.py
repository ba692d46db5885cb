"""Short words for what the contract tests do again and again, and the recount that ends each of them."""

from collections.abc import Awaitable, Iterable
from typing import Any

import pytest

from tests.contract.backends import Backend
from whimbrel.core.commit import Append, Appended, Rendition
from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.mailbox import (
    DELETED,
    INBOX,
    SEEN,
    AccountId,
    FlagChange,
    FlagOp,
    FolderRef,
    FolderStatus,
)
from whimbrel.core.uids import ALL, UidSet

ANN = AccountId("ann@example.test")
BOB = AccountId("bob@example.test")


def mail(number: int | str = 1, *, header: str = "", body: bytes = b"Hello.\r\n") -> bytes:
    """A message that differs from those of other numbers."""
    head = f"Message-ID: <{number}@example.test>\r\nFrom: Sue <sue@example.org>\r\nSubject: Number {number}\r\n{header}"
    return head.encode() + b"\r\n" + body


async def inbox(backend: Backend, account: AccountId = ANN) -> FolderRef:
    found = await backend.folders.find(account, INBOX)
    assert found is not None
    return found.ref


async def folder(backend: Backend, name: str, account: AccountId = ANN) -> FolderRef:
    """Made new."""
    return (await backend.folders.create(account, name)).ref


def item(backend: Backend, ref: FolderRef, content: bytes, *, prefix: bytes = b"", **rest: Any) -> Append:
    return Append(ref, Rendition(prefix, backend.spool.hold(content)), **rest)


async def append(backend: Backend, ref: FolderRef, content: bytes | None = None, **rest: Any) -> int:
    """The UID."""
    content = mail() if content is None else content
    (done,) = await backend.commit.commit([item(backend, ref, content, **rest)])
    assert isinstance(done, Appended), done
    return done.uid


async def fill(backend: Backend, ref: FolderRef, count: int, first: int = 1) -> list[int]:
    """`count` different messages in one commit; their UIDs."""
    done = await backend.commit.commit([item(backend, ref, mail(first + n)) for n in range(count)])
    assert all(isinstance(one, Appended) for one in done), done
    return [one.uid for one in done if isinstance(one, Appended)]


async def add(backend: Backend, ref: FolderRef, uids: Iterable[int], flags: int = 0, *words: str) -> None:
    await backend.messages.set_flags(ref, UidSet.of(uids), FlagChange(FlagOp.ADD, flags, frozenset(words)))


async def expunge(backend: Backend, ref: FolderRef, uids: Iterable[int]) -> None:
    """Marks and removes."""
    uids = list(uids)
    await add(backend, ref, uids, DELETED)
    gone = await backend.messages.expunge(ref, UidSet.of(uids))
    assert list(gone.uids) == uids


async def flags(backend: Backend, ref: FolderRef) -> dict[int, tuple[int, str]]:
    """uid -> flags, keywords."""
    return {uid: (bits, words) for uid, bits, words, _ in await backend.messages.flags(ref, ALL)}


async def texts(backend: Backend, ref: FolderRef) -> list[bytes | None]:
    """All contents, in the order of UIDs."""
    return list(await backend.messages.contents(ref, list(await flags(backend, ref))))


async def status(backend: Backend, ref: FolderRef) -> FolderStatus:
    return await backend.folders.status(ref)


async def names(backend: Backend, account: AccountId = ANN) -> list[str]:
    return [each.name for each in await backend.folders.list(account)]


async def refused(call: Awaitable[object], *conditions: Condition) -> None:
    """`call` fails with one of `conditions`."""
    with pytest.raises(MailboxError) as caught:
        await call
    assert caught.value.condition in conditions, caught.value


async def assert_counts_are_true(backend: Backend, accounts: Iterable[AccountId] = (ANN, BOB)) -> None:
    """STATUS, SELECT and the account's sums say what a recount of the messages says."""
    for account in accounts:
        size = messages = 0
        for each in await backend.folders.list(account):
            if not each.selectable:
                continue
            meta = await backend.messages.meta(each.ref, ALL, structure=False)
            uids = [row[0] for row in meta]
            bits = [row[1] for row in meta]
            told = await backend.folders.status(each.ref)
            assert told.messages == len(meta), each.name
            assert told.unseen == sum(not flag & SEEN for flag in bits), each.name
            assert told.deleted == sum(bool(flag & DELETED) for flag in bits), each.name
            if told.size != (sizes := sum(row[5] for row in meta)):
                # As stored: what clients get has a CR more for each bare LF.
                contents = [content for content in await backend.messages.contents(each.ref, uids) if content]
                lines = sum(content.count(b"\n") for content in contents if isinstance(content, bytes))
                assert sizes - lines <= told.size < sizes, each.name
            assert told.uid_next > max(uids, default=0), each.name
            assert told.highest_modseq >= max((row[3] for row in meta), default=1), each.name
            assert 1 <= told.first_recent <= told.uid_next, each.name
            assert told.uid_validity >= 1
            snapshot = await backend.messages.snapshot(each.ref)
            assert snapshot.status == told, each.name
            assert list(snapshot.uids) == uids == sorted(uids), each.name
            assert snapshot.first_unseen == next((uid for uid, *_ in meta if not _[0] & SEEN), 0), each.name
            assert set(snapshot.keywords) == {word for row in meta for word in row[2].split()}, each.name
            size += told.size
            messages += told.messages
        usage = await backend.folders.usage(account)
        assert (usage.bytes, usage.messages) == (size, messages)
