"""A message sent over one session: in one transaction, or in several where the server takes fewer recipients at once.

Standards: RFC 5321 4.5.3.1.10 (too many recipients), RFC 9422 (LIMITS), RFC 1047 (after the content)
"""

from collections.abc import Sequence
from typing import Final

from whimbrel.flow.delivery.conversation import Conversation, Declined
from whimbrel.flow.delivery.parcel import ContentGone, Job
from whimbrel.protocols.smtp.reply import Reply

_BROKEN_OFF: Final = Reply(451, "4.4.2", ("The session ended after other recipients had had their turn",))


class Stale(Exception):
    """A session that was kept had ended meanwhile."""


async def transactions(job: Job, conversation: Conversation, *, reused: bool) -> tuple[Sequence[Reply], bool]:
    """One, or several where the server takes fewer recipients at once."""
    client, recipients = conversation.client, job.recipients
    letter, pieces = await job.content.fit(client.extensions)
    if len(recipients) == 1:  # Nearly always.
        (reply,), unknown = await conversation.send(letter, recipients, pieces(), job.progress)
        if reused and not (client.begun or client.reusable):
            raise Stale
        return [_meant(reply)], unknown
    most = client.extensions.max_recipients or len(recipients)
    replies: dict[int, Reply] = {}
    waiting, unknown = list(range(len(recipients))), False
    while waiting:
        now, later = waiting[:most], waiting[most:]
        try:
            answers, unknown = await conversation.send(letter, [recipients[at] for at in now], pieces(), job.progress)
        except (ContentGone, Declined):
            if not replies:
                raise
            replies.update((at, replies.get(at, _BROKEN_OFF)) for at in waiting)
            break
        if reused and not replies and not (client.begun or client.reusable):
            raise Stale
        replies.update((at, _meant(reply)) for at, reply in zip(now, answers, strict=True))
        if not client.reusable:
            # Nothing was taken or refused for the recipients that had no transaction yet.
            nobody = all(reply.code == 421 for reply in answers)
            replies.update((at, replies.get(at, answers[0] if nobody else _BROKEN_OFF)) for at in later)
            break
        again = [at for at in now if _too_many(replies[at])] if any(reply.ok for reply in answers) else []
        waiting = again + later  # Fewer than before.
    return [replies[at] for at in range(len(recipients))], unknown


def _meant(reply: Reply) -> Reply:
    """RFC 5321 4.5.3.1.10: 552 for too many recipients is an old way of saying 452."""
    return Reply(452, "4.5.3", reply.lines) if reply.code == 552 and reply.enhanced == "5.5.3" else reply


def _too_many(reply: Reply) -> bool:
    """The rest may come in another transaction, now."""
    return reply.code == 452 and reply.enhanced in ("", "4.5.3")
