"""Handler of IDLE: news are pushed as they come.

Standards: RFC 2177, RFC 5465 4
"""

from whimbrel.backends.net.driver import TimedOut
from whimbrel.protocols.imap import select as grammar
from whimbrel.protocols.imap.engine import Continue, Done, IdleDone, Status
from whimbrel.services.imapd.offer import Offer, serves
from whimbrel.services.imapd.session import Session, done


async def idle(session: Session, command: grammar.Idle) -> Done:
    connection, clock, settings = session.connection, session.ports.clock, session.settings
    view = session.selected
    if view is not None and session.hears:
        view.hints.wake = connection.wake  # Before the query, so that no hint falls between.
    try:
        if session.hears:  # RFC 5465 4: neither more nor less than NOTIFY asked for.
            await session.sync(expunge=True, always=True)
        if session.leaving:
            return Done(Status.NO, "Selected mailbox was deleted")
        await connection.send(Continue(b"idling"))
        end = clock.monotonic() + settings.autologout
        while True:
            left = end - clock.monotonic()
            if left <= 0:
                raise TimedOut
            if view is not None and session.observer is None:
                view.hints.listener = session  # Only while this task waits: then its view is nobody else's.
            session.resting = True
            try:
                event = await connection.event_or_wake(min(settings.idle_keep_alive, left))
            except TimedOut:
                await session.untagged(b"OK Still here")
                continue
            finally:
                if view is not None:
                    view.hints.listener = None
            session.resting = False
            if (signed := session.signed) is not None and signed.outdated:
                await session.renew(signed)
                if session.leaving:
                    return Done(Status.NO, "Signed out")
            if event is None:
                if session.hears:
                    await session.sync(expunge=True)
                if session.observer is not None:
                    await session.observer.report()
                if session.leaving:
                    return Done(Status.NO, "Selected mailbox was deleted")
            elif isinstance(event, IdleDone):
                return done(command)
            else:
                return Done(Status.BAD, "Expected DONE")
    finally:
        if view is not None and session.observer is None:
            view.hints.wake = None


OFFER = Offer(handlers=dict((serves(grammar.Idle, idle),)), capabilities=(b"IDLE",))
