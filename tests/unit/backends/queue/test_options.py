"""Options of an envelope as columns of the queue, which the former release reads and writes too."""

from pathlib import Path

import apsw
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.queue_house import QueueHouse, entry
from tests.unit.backends.queue.test_recovery import run
from whimbrel.backends.queue import options
from whimbrel.core.envelope import PLAIN, MailOptions, Ret
from whimbrel.core.mailbox import AccountId

RETS: list[Ret] = ["", "FULL", "HDRS"]


@given(
    st.builds(
        MailOptions,
        utf8=st.booleans(),
        body_8bit=st.booleans(),
        ret=st.sampled_from(RETS),
        envid=st.text(max_size=20),
        require_tls=st.booleans(),
        hold_until=st.floats(min_value=0, max_value=1e12),
        verp=st.sampled_from(["", "+="]),
        account=st.text(max_size=20).map(AccountId),
        findings=st.text(max_size=20),
    )
)
@settings(deadline=None)
def test_what_is_kept_is_what_was_said(said: MailOptions) -> None:
    assert options.read(options.values(said)) == said
    assert len(options.values(said)) == options.NUMBER


def test_an_option_of_a_later_release_is_left_alone() -> None:
    row = (*options.values(MailOptions(envid="e"))[:-1], '{"deliver-by": 3, "verp": "+="}')
    assert options.read(row) == MailOptions(envid="e", verp="+=")


def test_the_former_release_reads_and_adds_entries(tmp_path: Path) -> None:
    async def check(house: QueueHouse) -> None:
        await house.add(entry("a-1"))
        connection = apsw.Connection(str(tmp_path / "queue" / "queue.db"))
        # The columns of 1.4, by name, as that release has them in its statements.
        columns = (
            "sender, created, next_attempt, size, attempts, held, message_id, user, client, envid, ret_full, utf8, "
            "body_8bit, origin, require_tls, tls_optional, unchecked, give_up, urgent, lane, ret_hdrs, checksum"
        )
        connection.execute(f"INSERT INTO entry(id, {columns}) SELECT 'a-2', {columns} FROM entry WHERE id = 'a-1'")
        connection.execute("UPDATE entry SET ret_hdrs = 1 WHERE id = 'a-2'")
        connection.close()
        found = await house.queue.get("a-2")
        assert found is not None and found.options == MailOptions(ret="HDRS")
        first = await house.queue.get("a-1")
        assert first is not None and first.options is PLAIN

    run(tmp_path, check)
