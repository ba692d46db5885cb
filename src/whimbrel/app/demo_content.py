"""What a demonstration begins with, so that every screen and command has something to show: a group, two aliases, mail
that came, that was refused, that waits for an administrator, and a password that was wrong.
"""

import contextlib
import smtplib
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from email.utils import format_datetime, localtime, make_msgid
from pathlib import Path
from typing import Final

from whimbrel.app.cli.client import Client, Options
from whimbrel.app.demo_card import Endpoint, User
from whimbrel.services.admin.table import calls_of

TIMEOUT: Final = 10.0
_CALLS: Final = (
    ("group add", {"name": "team@example.test", "member": ["alice@example.test", "bob@example.test",
                   "carol@example.test"], "description": "Everybody in the office"}),
    ("alias add", {"name": "info@example.test", "to": ["alice@example.test"],
                   "description": "The address on the web site"}),
    ("alias add", {"name": "office@example.test", "to": ["team@example.test"]}),
    ("user set", {"name": "carol@example.test", "quota": "200M"}),
)  # fmt: skip


def fill(socket: Path, services: Mapping[str, Endpoint], users: Sequence[User]) -> None:
    """Once, on a server that answers. Raises OSError, smtplib.SMTPException, CallError: what is missing then is
    missed by nobody."""
    client = Client(socket)
    for words, values in _CALLS:
        noun, _, verb = words.partition(" ")
        client.call(next(call for call in calls_of(noun) if call.verb == verb), dict(values), Options())
    with _session(services["smtp"]) as outside:
        _send(outside, "clara@shop.example", "info@example.test", "Where is order 4711?",
              "Hello,\n\nI ordered a kettle two weeks ago. When will it come?\n\nClara")  # fmt: skip
        minutes = _letter("paula@partner.example", "team@example.test", "Minutes of Monday's meeting",
                          "Dear all,\n\nthe minutes are attached. Please look at item 3.\n\nPaula")  # fmt: skip
        minutes.add_attachment(
            "item,who,until\n1,Alice,Friday\n2,Bob,Monday\n3,Carol,open\n", subtype="csv", filename="minutes.csv"
        )
        outside.send_message(minutes)
        for recipient in ("nobody@example.test", "stranger@elsewhere.example"):  # Unknown; and we relay for nobody.
            with contextlib.suppress(smtplib.SMTPRecipientsRefused):
                _send(outside, "offers@spam.example", recipient, "A very good offer", "Buy now.")
    passwords = {user.address: user.password for user in users}
    with _session(services["submission"]) as own:
        own.login("bob@example.test", passwords["bob@example.test"])
        _send(own, "bob@example.test", "alice@example.test", "Lunch on Thursday?",
              "Hi Alice,\n\nat noon, at the harbour?\n\nBob")  # fmt: skip
        # Held, as all mail to other servers: it can be looked at, released and removed in the queue.
        _send(own, "bob@example.test", "paula@partner.example", "Re: Minutes of Monday's meeting",
              "Item 3 is done.\n\nBob")  # fmt: skip
    with _session(services["submission"]) as other, contextlib.suppress(smtplib.SMTPAuthenticationError):
        other.login("carol@example.test", "not-the-password")


def _session(service: Endpoint) -> smtplib.SMTP:
    return smtplib.SMTP(service.host, service.port, "localhost", timeout=TIMEOUT)


def _send(session: smtplib.SMTP, sender: str, recipient: str, subject: str, text: str) -> None:
    session.send_message(_letter(sender, recipient, subject, text))


def _letter(sender: str, recipient: str, subject: str, text: str) -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = sender, recipient, subject
    made["Date"], made["Message-ID"] = format_datetime(localtime()), make_msgid(domain=sender.partition("@")[2])
    made.set_content(text)
    return made
