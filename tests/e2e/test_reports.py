"""The report that a sender reads: in the language that is set, with its three parts."""

import contextlib
import email
import email.policy
from collections.abc import Callable
from email.message import EmailMessage

import pytest

from tests.support.mail import eventually, imap, letter, submit
from tests.support.server import Running
from tests.support.sinks import SmtpSink

Maker = Callable[..., contextlib.AbstractContextManager[Running]]
ANNA = "user1@example.test"


def report(server: Running, user: str) -> EmailMessage:
    """The first message in the user's INBOX."""
    for _ in eventually(30):
        with imap(server, user) as client:
            _, data = client.uid("FETCH", "1:*", "(BODY.PEEK[])")
            for part in data:
                if isinstance(part, tuple):
                    found = email.message_from_bytes(part[1], policy=email.policy.SMTP)
                    assert isinstance(found, EmailMessage)
                    return found
    raise AssertionError("no report came")


@pytest.mark.parametrize(
    ("language", "subject"),
    [("en", "could not be delivered"), ("de", "nicht zugestellt")],
)
def test_a_refused_message_comes_back_in_the_language_that_is_set(
    own_server: Maker, language: str, subject: str
) -> None:
    with SmtpSink(replies={"RCPT": ["550 5.1.1 No such user here"]}) as sink:
        settings = {
            "delivery/relay-host": "127.0.0.1",
            "delivery/relay-port": str(sink.port),
            "reports/language": language,
        }
        with own_server(settings) as server:
            submit(server, ANNA, ["nobody@remote.test"], letter("returned", sender=ANNA, body="secret body"))
            found = report(server, ANNA)
    assert subject in str(found["Subject"]) and found["Return-Path"] == "<>"
    assert found["Auto-Submitted"] == "auto-replied" and found["In-Reply-To"] == "<returned@else.test>"
    assert found.get_content_type() == "multipart/report" and found.get_param("report-type") == "delivery-status"
    words, status, original = found.iter_parts()
    assert words.get_content_type() == "text/plain" and words["Content-Language"] == language
    assert "nobody@remote.test" in words.get_content() and "No such user here" in words.get_content()
    assert status.get_content_type() == "message/delivery-status"
    of_message, of_recipient = status.get_payload()
    assert of_message["Reporting-MTA"] == "dns; localhost" and of_message["Arrival-Date"]
    assert of_recipient["Final-Recipient"] == "rfc822; nobody@remote.test"
    assert (of_recipient["Action"], of_recipient["Status"]) == ("failed", "5.1.1")
    assert of_recipient["Diagnostic-Code"] == "smtp; 550 5.1.1 No such user here"
    assert original.get_content_type() == "text/rfc822-headers"
    assert "Subject: returned" in original.get_payload() and "secret body" not in original.get_payload()
