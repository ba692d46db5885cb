"""Lock-outs are heard from the security log as it is written."""

import asyncio
import contextlib
from pathlib import Path

from tests.support.fakes import InlinePool, MemoryLog
from tests.unit.services.alerts.test_owner import Told
from whimbrel.backends.logs.journal import FileLog, Journal
from whimbrel.backends.logs.settings import LogSettings
from whimbrel.backends.logs.tail import LogReader
from whimbrel.services.alerts.events import SIGN_IN_LOCKED
from whimbrel.services.alerts.sign_ins import follow


def test_a_lock_out_in_the_log_is_an_alert_with_user_and_address(tmp_path: Path) -> None:
    told = Told()

    async def work() -> None:
        journal = Journal(tmp_path)
        log = FileLog(journal, LogSettings)
        log.info("signin.ok", user="anna@example.org", sender_host="192.0.2.1", service="imap")
        task = asyncio.ensure_future(follow(LogReader(tmp_path, InlinePool(), poll=0.01), told.owner, MemoryLog()))
        log.warning(
            "signin.failed", user="anna@example.org", sender_host="192.0.2.1", service="imap", reason="Locked x"
        )
        lock_out = {"user": "anna@example.org", "sender_host": "192.0.2.1", "service": "imap", "method": "PLAIN"}
        try:
            async with asyncio.timeout(10):
                while not told.owner.episode(SIGN_IN_LOCKED).since:
                    log.warning("signin.locked", **lock_out)  # Again and again: it may not be followed yet.
                    await asyncio.sleep(0.01)
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            journal.close()

    asyncio.run(work())
    assert told.hears() == ["mail.example.org: Sign-ins are locked out"]
    assert "Sign-ins of anna@example.org from 192.0.2.1 are refused" in told.mails[0][2]
