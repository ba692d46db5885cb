"""A message whose content is gone or cut short is returned, and never sent in part."""

import asyncio
from dataclasses import replace
from zlib import crc32

import pytest

from tests.support.queue_house import NOW, entry
from tests.unit.flow.delivery.test_worker import MAIL, Post, item
from whimbrel.core.envelope import MailOptions, Recipient
from whimbrel.core.queue import CONTENT_LOST, QueueItem, QueueRecipient


def again(post: Post) -> None:
    post.there.clock.forward(3600)
    assert asyncio.run(post.worker.run_due()) == 1


def test_a_message_whose_content_is_gone_waits_once_and_is_then_returned() -> None:
    post = Post()
    post.queue.add(item("b@remote.test", options=MailOptions(envid="env-9")), MAIL)
    del post.queue.contents["q1"]
    assert asyncio.run(post.worker.run_due()) == 1
    # It may have been deleted at this very moment: nobody is told yet, and the queue shows why it waits.
    assert [one.status for one in post.queue.items["q1"].waiting] == ["4.3.0 The content of the message cannot be read"]
    assert not post.there.store.filed
    again(post)
    assert not post.queue.items
    for line in ("Final-Recipient: rfc822; b@remote.test", "Action: failed", "Status: 5.3.0", "env-9"):
        assert line in post.report
    assert not post.remote.messages


def test_a_message_cut_short_is_not_sent_in_part() -> None:
    post = Post()
    post.queue.add(item("b@remote.test"), MAIL)
    post.queue.contents["q1"] = MAIL[:20]
    assert asyncio.run(post.worker.run_due()) == 1
    again(post)
    assert not post.remote.messages and not post.queue.items
    assert "Status: 5.3.0" in post.report


def test_a_mailbox_gets_no_message_cut_short_either() -> None:
    post = Post()
    here = QueueRecipient(Recipient(entry("x", "bob@example.test").recipients[0].recipient.address), local=True,
                          account="bob@example.test")  # fmt: skip
    stored: QueueItem = replace(item("b@remote.test"), recipients=(here,))
    post.queue.add(stored, MAIL)
    post.queue.contents["q1"] = MAIL[:20]
    assert asyncio.run(post.worker.run_due()) == 1
    assert not post.there.store.filed
    again(post)
    assert "Status: 5.3.0" in post.report and not post.queue.items
    assert not post.there.store.content_of("bob@example.test")


def test_what_was_found_lost_at_the_start_is_returned_without_an_attempt() -> None:
    post = Post()
    lost = replace(item("b@remote.test"), give_up=CONTENT_LOST, attempts=1, next_attempt=NOW - 60)
    post.queue.add(lost, MAIL)
    del post.queue.contents["q1"]
    assert asyncio.run(post.worker.run_due()) == 1
    assert "Status: 5.3.0" in post.report and not post.queue.items and not post.remote.messages


@pytest.mark.parametrize("size", [100, 700_000])
def test_a_message_that_is_not_what_was_taken_in_is_not_sent(size: int) -> None:
    post = Post()
    text = MAIL + b"x" * size
    post.queue.add(replace(item("b@remote.test"), checksum=crc32(text)), text)
    post.queue.contents["q1"] = text[:-1] + b"y"
    assert asyncio.run(post.worker.run_due()) == 1
    again(post)
    assert not post.remote.messages and not post.queue.items
    assert "Status: 5.3.0" in post.report
