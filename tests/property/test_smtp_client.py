"""Whatever a server answers, a dialogue with it ends after so many steps. RFC 5321 3.8, RFC 4954 4"""

from collections.abc import Callable
from itertools import cycle

from hypothesis import given, settings
from hypothesis import strategies as st

from whimbrel.core.address import Address
from whimbrel.core.engine import Pause
from whimbrel.core.envelope import MailOptions, Recipient
from whimbrel.core.values import Secret
from whimbrel.protocols.smtp.client import SmtpClient
from whimbrel.protocols.smtp.client_auth import MAX_RESPONSES, MECHANISMS
from whimbrel.protocols.smtp.client_events import ClientEvent, Finished, Lost, NeedContent, Ready, SignedIn, TlsReady

RECIPIENTS = [Recipient(Address(name, "example.test")) for name in ("a", "b", "c")]
REPLIES = st.sampled_from(
    [
        b"220 mx hello\r\n", b"250 ok\r\n", b"250-mx\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 AUTH PLAIN LOGIN\r\n",
        b"250-mx\r\n250 AUTH LOGIN\r\n", b"235 in\r\n", b"334 \r\n", b"334 VXNlcm5hbWU6\r\n", b"334 UGFzc3dvcmQ6\r\n",
        b"334 !\r\n", b"354 go\r\n", b"421 bye\r\n", b"450 later\r\n", b"501 what\r\n", b"504 no\r\n", b"534 weak\r\n",
        b"535 wrong\r\n", b"550 no\r\n", b"550-no\r\n" * 300 + b"550 no\r\n", b"550 " + b"n" * 5000 + b"\r\n",
        b"552 5.5.3 many\r\n", b"nonsense\r\n", b"250-a\r\n550 b\r\n", b"299 odd\r\n", b"399 odd\r\n",
    ]
)  # fmt: skip
MOST = 12 + len(MECHANISMS) * (MAX_RESPONSES + 3) + 3 * len(RECIPIENTS)
"""Replies that the longest legal dialogue below can take."""


class Peer:
    """Answers each time the client waits, with the next reply of a list that never ends."""

    def __init__(self, client: SmtpClient, replies: list[bytes]) -> None:
        self.client, self._replies = client, cycle(replies)
        self.steps = 0

    def event(self) -> ClientEvent:
        while isinstance(event := self.client.next_event(), Pause):
            self.steps += 1
            assert self.steps <= MOST
            self.client.outgoing()
            self.client.receive(next(self._replies))
        return event

    def after(self, command: Callable[[], object]) -> ClientEvent:
        command()
        return self.event()


@settings(max_examples=600, deadline=None)
@given(st.lists(REPLIES, min_size=1, max_size=12), st.booleans(), st.booleans(), st.booleans())
def test_every_dialogue_ends(replies: list[bytes], lmtp: bool, tls: bool, whole: bool) -> None:
    client = SmtpClient(lmtp=lmtp)
    peer = Peer(client, [b"220 mx\r\n", b"250-mx\r\n250 AUTH PLAIN LOGIN CRAM-MD5\r\n", *replies])
    peer.event()
    for command in (
        lambda: client.hello("me.example"),
        client.start_tls if tls else lambda: client.hello("me.example"),
    ):
        if not client.reusable:
            return
        event = peer.after(command)
        if isinstance(event, TlsReady):
            client.tls_started()
            if not isinstance(peer.after(lambda: client.hello("me.example")), Ready):
                return
    if not client.reusable:
        return
    signed_in = peer.after(lambda: client.sign_in("alice", Secret("pw")))
    if not isinstance(signed_in, SignedIn) or not client.reusable:
        return
    content = b"Subject: x\r\n\r\ny\r\n"
    event = peer.after(
        lambda: client.transaction(RECIPIENTS[0].address, RECIPIENTS, MailOptions(), content if whole else None)
    )
    if isinstance(event, NeedContent):
        client.content(content), client.content(content), client.content_end()
        event = peer.event()
    assert isinstance(event, Finished | Lost)
    assert len(event.results) == len(RECIPIENTS)
    if client.reusable:
        peer.after(client.reset)
    if client.reusable:
        peer.after(client.quit)
        assert not client.reusable
