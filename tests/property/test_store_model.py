"""Random commands to a mail store and to a model of plain dicts: both must answer the same, always.

A replica follows each folder by `changes` alone, as a session does; now and then it is brought up to date and must be
equal to the folder. Every backend of the contract's table is tried, reopened now and then if it can be.
"""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.contract.backends import BACKENDS, Backend, Opener
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
    Limit,
    MailboxId,
    Usage,
)
from whimbrel.core.uids import ALL, UidSet

T = TypeVar("T")
ANN = AccountId("ann@example.test")
EXAMPLES = int(os.environ.get("WHIMBREL_MODEL_EXAMPLES", "20"))
STEPS = 40


@dataclass
class Message:
    content: bytes
    flags: int
    words: frozenset[str]
    date: int


@dataclass
class Box:
    """What the model knows of a folder; `mailbox` is only a name for the ports."""

    mailbox: MailboxId
    selectable: bool = True
    next: int = 1
    messages: dict[int, Message] = field(default_factory=dict)
    gone: dict[int, bytes] = field(default_factory=dict)
    delivered: set[tuple[str, str]] = field(default_factory=set)
    replica: dict[int, tuple[int, frozenset[str]]] = field(default_factory=dict)
    since: int = 0
    modseq: int = 0

    def add(self, message: Message) -> int:
        uid, self.next = self.next, self.next + 1
        self.messages[uid] = message
        return uid

    def remove(self, uid: int) -> None:
        self.gone[uid] = self.messages.pop(uid).content


names = st.sampled_from(["INBOX", "inbox", "a", "A", "a/b", "a/b/c", "b", "INBOX/x", "..", "d/e/f"])
uids = st.builds(UidSet, st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)), max_size=3)) | st.just(ALL)
bits = st.integers(0, 31)
words = st.frozensets(st.sampled_from(["x", "Y", "$z"]))
dates = st.integers(0, 2**33)
queue_ids = st.sampled_from(["", "q1", "q2"])
sinces = st.sampled_from([None, True, False])
operations = st.sampled_from(FlagOp)
limits = st.none() | st.builds(Limit, st.integers(0, 90), st.integers(0, 8))
contents = st.sampled_from([b"Subject: %d\r\n\r\n%b" % (n, b"x" * n) for n in range(4)] + [b"\n", b"\0\xff"])


class Machine(RuleBasedStateMachine):
    opener: Opener

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.root = Path(tempfile.mkdtemp(prefix="whimbrel-model-"))
        self.manager: AbstractAsyncContextManager[Backend] = self.opener(self.root)
        self.store = self.run(self.manager.__aenter__())
        self.boxes: dict[str, Box] = {}
        self.subscribed: set[str] = set()
        for folder in self.run(self.store.folders.list(ANN)):
            self.boxes[folder.name] = Box(folder.ref.mailbox)
        assert list(self.boxes) == [INBOX]
        self.seen_ids = {self.boxes[INBOX].mailbox}

    def teardown(self) -> None:
        self.run(self.manager.__aexit__(None, None, None))
        self.loop.close()
        shutil.rmtree(self.root, ignore_errors=True)

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(asyncio.wait_for(call, 60))

    def fails(self, call: Coroutine[Any, Any, object], condition: Condition) -> None:
        with pytest.raises(MailboxError) as caught:
            self.run(call)
        assert caught.value.condition is condition

    def ref(self, name: str) -> FolderRef | None:
        box = self.boxes.get(real(name))
        return FolderRef(ANN, box.mailbox) if box is not None and box.selectable else None

    def usage(self) -> Usage:
        contents = [message.content for box in self.boxes.values() for message in box.messages.values()]
        return Usage(sum(map(len, contents)), len(contents))

    def children(self, name: str) -> list[str]:
        return [each for each in self.boxes if each.startswith(name + "/")]

    def learn(self, name: str) -> Box:
        """A folder was made: the model takes its id from the store, which must be a new one."""
        found = self.run(self.store.folders.find(ANN, name))
        assert found is not None and found.selectable and found.name == name
        assert found.ref.mailbox not in self.seen_ids
        self.seen_ids.add(found.ref.mailbox)
        box = self.boxes[name] = Box(found.ref.mailbox)
        return box

    def make_above(self, name: str) -> None:
        levels = name.split("/")
        for count in range(1, len(levels)):
            path = "/".join(levels[:count])
            if path not in self.boxes:
                self.learn(path)

    # Folders

    @rule(name=names)
    def create(self, name: str) -> None:
        name = real(name)
        call = self.store.folders.create(ANN, name)
        box = self.boxes.get(name)
        if box is not None and box.selectable:
            self.fails(call, Condition.ALREADYEXISTS)
            return
        self.run(call)
        self.make_above(name)
        self.learn(name)

    @rule(name=names)
    def delete(self, name: str) -> None:
        name = real(name)
        call, box = self.store.folders.delete(ANN, name), self.boxes.get(name)
        if name == INBOX:
            self.fails(call, Condition.CANNOT)
        elif box is None:
            self.fails(call, Condition.NONEXISTENT)
        elif not self.children(name):
            self.run(call)
            del self.boxes[name]
        elif not box.selectable:
            self.fails(call, Condition.CANNOT)
        else:
            self.run(call)
            found = self.run(self.store.folders.find(ANN, name))
            assert found is not None and not found.selectable
            # Its id may become that of a new folder, but is not the old one's.
            assert found.ref.mailbox == box.mailbox or found.ref.mailbox not in self.seen_ids
            self.boxes[name] = Box(found.ref.mailbox, selectable=False)

    @rule(old=names, new=names)
    def rename(self, old: str, new: str) -> None:
        old, new = real(old), real(new)
        call, box = self.store.folders.rename(ANN, old, new), self.boxes.get(old)
        if box is None:
            self.fails(call, Condition.NONEXISTENT)
        elif new in self.boxes:
            self.fails(call, Condition.ALREADYEXISTS)
        elif old == INBOX:
            self.run(call)
            self.make_above(new)
            target = self.learn(new)
            target.since = 0
            for uid in list(box.messages):
                target.add(box.messages[uid])
                box.remove(uid)
            # How the new folder numbers them is the store's business, the order is not.
            got = [row[0] for row in self.run(self.store.messages.flags(FolderRef(ANN, target.mailbox), ALL))]
            assert len(got) == len(target.messages)
            target.messages = dict(zip(got, target.messages.values(), strict=True))
            target.next = max(got, default=target.next - 1) + 1
        elif new.startswith(old + "/"):
            self.fails(call, Condition.CANNOT)
        else:
            self.run(call)
            moved = {name: self.boxes.pop(name) for name in [old, *self.children(old)]}
            self.make_above(new)
            self.boxes |= {new + name[len(old) :]: each for name, each in moved.items()}

    @rule(name=names, subscribed=st.booleans())
    def subscribe(self, name: str, subscribed: bool) -> None:
        self.run(self.store.folders.subscribe(ANN, name, subscribed=subscribed))
        (self.subscribed.add if subscribed else self.subscribed.discard)(real(name))

    # Messages

    @rule(items=st.lists(st.tuples(names, contents, bits, words, dates, queue_ids), max_size=5), limit=limits)
    def append(self, items: list[tuple[str, bytes, int, frozenset[str], int, str]], limit: Limit | None) -> None:
        work = []
        for name, content, flag, keywords, date, queue_id in items:
            ref = self.ref(name) or FolderRef(ANN, MailboxId("F" + "0" * 32))
            rendition = Rendition(b"P: 1\r\n" if flag & 1 else b"", self.store.spool.hold(content))
            work.append(Append(ref, rendition, flag, keywords, date, queue_id, "ann@example.test", limit))
        done = self.run(self.store.commit.commit(work))
        for (name, content, flag, keywords, date, queue_id), answer in zip(items, done, strict=True):
            if self.ref(name) is None:
                assert isinstance(answer, MailboxError) and answer.condition is Condition.NONEXISTENT
                continue
            box = self.boxes[real(name)]
            if queue_id and queue_id in {queue for queue, _ in box.delivered}:
                assert isinstance(answer, Appended) and answer.uid == 0
                continue
            prefix = b"P: 1\r\n" if flag & 1 else b""
            if limit is not None and limit.exceeded(self.usage(), len(prefix + content), 1):
                assert isinstance(answer, MailboxError) and answer.condition is Condition.OVERQUOTA
                continue
            assert isinstance(answer, Appended)
            assert answer.uid == box.add(Message(prefix + content, flag, keywords, date))
            if queue_id:
                box.delivered.add((queue_id, ""))

    @rule(
        name=names, which=uids, op=st.sampled_from(FlagOp), flag=bits, keywords=words, since=st.none() | st.booleans()
    )
    def set_flags(
        self, name: str, which: UidSet, op: FlagOp, flag: int, keywords: frozenset[str], since: bool | None
    ) -> None:
        ref = self.ref(name)
        if ref is None:
            return
        box = self.boxes[real(name)]
        # True: from now on, which refuses nothing; False: from before everything, which refuses all.
        unchanged = None if since is None else (2**62 if since else 0)
        stored = self.run(self.store.messages.set_flags(ref, which, FlagChange(op, flag, keywords), unchanged))
        present = which.within(sorted(box.messages))
        if since is False:
            assert (stored.rows, list(stored.modified), list(stored.changed)) == ([], present, [])
            return
        changed = []
        for uid in present:
            message = box.messages[uid]
            before = message.flags, message.words
            if op is FlagOp.ADD:
                message.flags, message.words = message.flags | flag, message.words | keywords
            elif op is FlagOp.REMOVE:
                message.flags, message.words = message.flags & ~flag, message.words - keywords
            else:
                message.flags, message.words = flag, keywords
            if before != (message.flags, message.words):
                changed.append(uid)
        assert [row[0] for row in stored.rows] == present
        assert list(stored.changed) == changed and not stored.modified
        for uid, got, text, _ in stored.rows:
            assert (got, frozenset(text.split())) == (box.messages[uid].flags, box.messages[uid].words)

    @rule(name=names, which=uids)
    def expunge(self, name: str, which: UidSet) -> None:
        ref = self.ref(name)
        if ref is None:
            return
        box = self.boxes[real(name)]
        gone = self.run(self.store.messages.expunge(ref, which))
        want = [uid for uid in which.within(sorted(box.messages)) if box.messages[uid].flags & DELETED]
        assert list(gone.uids) == want
        for uid in want:
            box.remove(uid)

    @rule(source=names, which=uids, to=names, move=st.booleans(), limit=limits)
    def copy(self, source: str, which: UidSet, to: str, move: bool, limit: Limit | None) -> None:
        origin, into = self.ref(source), self.ref(to)
        never = FolderRef(ANN, MailboxId("F" + "1" * 32))
        if move:
            call = self.store.messages.move(origin or never, which, into or never)
        else:
            call = self.store.messages.copy(origin or never, which, into or never, limit)
        if origin is None or into is None:
            self.fails(call, Condition.NONEXISTENT)
            return
        here, there = self.boxes[real(source)], self.boxes[real(to)]
        present = which.within(sorted(here.messages))
        size = sum(len(here.messages[uid].content) for uid in present)
        if limit is not None and not move and present and limit.exceeded(self.usage(), size, len(present)):
            self.fails(call, Condition.OVERQUOTA)
            return
        copied = self.run(call)
        assert copied.source == tuple(present)
        want = []
        for uid in present:
            m = here.messages[uid]
            want.append(there.add(Message(m.content, m.flags, m.words, m.date)))
        assert copied.target == tuple(want)
        if move:
            for uid in present:
                here.remove(uid)

    @rule()
    def reopen(self) -> None:
        if self.store.reopen is not None:
            self.store = self.run(self.store.reopen())  # type: ignore[arg-type]

    # What must hold

    @rule(name=names)
    def follow(self, name: str) -> None:
        ref = self.ref(name)
        if ref is None:
            return
        box = self.boxes[real(name)]
        delta = self.run(self.store.messages.changes(ref, box.since))
        if not delta.complete:
            box.replica.clear()
        for uid in delta.expunged:
            box.replica.pop(uid, None)
        box.replica.update({uid: (flag, frozenset(text.split())) for uid, flag, text, _ in delta.rows})
        box.since = delta.highest_modseq
        assert box.replica == {uid: (m.flags, m.words) for uid, m in box.messages.items()}

    @rule(name=names, which=uids)
    def read(self, name: str, which: UidSet) -> None:
        ref = self.ref(name)
        if ref is None:
            return
        box = self.boxes[real(name)]
        wanted = [*which.within(sorted(box.messages)), *which.within(sorted(box.gone)), 77]
        known = {uid: m.content for uid, m in box.messages.items()} | box.gone
        assert self.run(self.store.messages.contents(ref, wanted)) == [known.get(uid) for uid in wanted]
        meta = self.run(self.store.messages.meta(ref, which))
        assert [(row[0], row[1], frozenset(row[2].split()), row[4], row[5]) for row in meta] == [
            (uid, m.flags, m.words, m.date, len(m.content))
            for uid, m in ((uid, box.messages[uid]) for uid in which.within(sorted(box.messages)))
        ]

    @invariant()
    def folders_are_those_of_the_model(self) -> None:
        listed = self.run(self.store.folders.list(ANN))
        assert {each.name: (each.ref.mailbox, each.selectable) for each in listed} == {
            name: (box.mailbox, box.selectable) for name, box in self.boxes.items()
        }
        assert {each.name for each in listed if each.subscribed} == self.subscribed & set(self.boxes)
        assert set(self.run(self.store.folders.subscriptions(ANN))) == self.subscribed

    @invariant()
    def counts_are_those_of_the_model(self) -> None:
        size = count = 0
        for box in self.boxes.values():
            if not box.selectable:
                continue
            told = self.run(self.store.folders.status(FolderRef(ANN, box.mailbox)))
            messages = box.messages.values()
            assert told.messages == len(messages)
            assert told.unseen == sum(not m.flags & SEEN for m in messages)
            assert told.deleted == sum(bool(m.flags & DELETED) for m in messages)
            assert told.size == sum(len(m.content) for m in messages)
            assert told.uid_next == box.next
            assert told.highest_modseq >= box.modseq
            box.modseq = told.highest_modseq
            size, count = size + told.size, count + told.messages
        usage = self.run(self.store.folders.usage(ANN))
        assert (usage.bytes, usage.messages) == (size, count)


def real(name: str) -> str:
    return INBOX + name[5:] if name.upper().split("/")[0] == INBOX else name


@pytest.mark.parametrize("backend", sorted(BACKENDS))
def test_any_commands_are_answered_as_the_model_answers(backend: str) -> None:
    machine = type("Machine", (Machine,), {"opener": staticmethod(BACKENDS[backend])})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
