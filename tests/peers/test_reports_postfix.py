"""Our reports beside those of a real Postfix about the same failure: the same fields, of the same kind."""

import contextlib
import email
import email.policy
import smtplib
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.support.mail import eventually, imap, letter, trusting
from tests.support.postfix import Postfix
from tests.support.server import PASSWORD, Running
from tests.support.sinks import SmtpSink

Maker = Callable[..., contextlib.AbstractContextManager[Running]]
pytestmark = [pytest.mark.peer("postfix"), pytest.mark.root, pytest.mark.xdist_group("postfix")]
ANNA = "user1@example.test"
REFUSED = "550 5.1.1 No such user here"


def parsed(content: bytes) -> EmailMessage:
    found = email.message_from_bytes(content, policy=email.policy.SMTP)
    assert isinstance(found, EmailMessage)
    return found


def delivered(server: Running) -> EmailMessage:
    for _ in eventually(30):
        with imap(server, ANNA) as client:
            _, data = client.uid("FETCH", "1:*", "(BODY.PEEK[])")
            for part in data:
                if isinstance(part, tuple):
                    return parsed(part[1])
    raise AssertionError("no report of ours came")


def give(smtp: smtplib.SMTP, sender: str, ret: str) -> None:
    """One message with all the wishes that a report must answer to."""
    smtp.ehlo("client.test")
    smtp.mail(sender, [f"RET={ret}", "ENVID=QQ314159"])
    code, text = smtp.rcpt("nobody@remote.test", ["NOTIFY=FAILURE", "ORCPT=rfc822;Nobody@Remote.TEST"])
    assert code == 250, text
    smtp.data(letter("returned", sender=sender, body="the body"))


def kinds(report: EmailMessage) -> tuple[str, list[str]]:
    parts = [part.get_content_type() for part in report.iter_parts()]
    return f"{report.get_content_type()} {report.get_param('report-type')}", parts


def fields(report: EmailMessage) -> dict[str, str]:
    """Of the machine-readable part: all but those that are the peer's own, dates only as being there."""
    _, status, _ = report.iter_parts()
    found: dict[str, str] = {}
    for block in status.get_payload():
        for name, value in block.items():
            if name.lower().startswith("x-"):
                continue
            kind, semicolon, rest = str(value).partition(";")
            told = f"{kind.strip()}; {' '.join(rest.split())}" if semicolon else str(value)
            found[name.lower()] = "" if name.lower().endswith("-date") or name == "Reporting-MTA" else told.lower()
    return found


@pytest.mark.parametrize("ret", ["FULL", "HDRS"])
def test_a_refused_recipient_is_reported_as_postfix_reports_it(own_server: Maker, tmp_path: Path, ret: str) -> None:
    with SmtpSink(replies={"RCPT": lambda line: REFUSED if "nobody" in line.lower() else None}) as sink:
        relay = {"delivery/relay-host": "127.0.0.1", "delivery/relay-port": str(sink.port)}
        with own_server(relay) as server:
            with smtplib.SMTP("127.0.0.1", server.ports["submission"], timeout=30) as smtp:
                smtp.starttls(context=trusting())
                smtp.login(ANNA, PASSWORD)
                give(smtp, ANNA, ret)
            ours = delivered(server)
        settings = {"mydestination": "", "relayhost": f"[127.0.0.1]:{sink.port}"}
        with Postfix(tmp_path / "postfix", settings) as peer:
            before = len(sink.messages)
            with smtplib.SMTP("127.0.0.1", peer.port, timeout=30) as smtp:
                give(smtp, "anna@sender.test", ret)
            for _ in eventually(30):  # Its report goes to the same sink.
                if len(sink.messages) > before:
                    break
            else:
                pytest.fail(f"no report of Postfix came:\n{peer.log()}")
            theirs = parsed(sink.messages[before].content)
    assert kinds(ours) == kinds(theirs)
    mine, wanted = fields(ours), fields(theirs)
    assert wanted["action"] == "failed" and wanted["original-envelope-id"] == "qq314159"
    missing = {name: value for name, value in wanted.items() if name not in mine}
    assert not missing
    for name in ("original-envelope-id", "original-recipient", "final-recipient", "action", "status", "remote-mta",
                 "diagnostic-code"):  # fmt: skip
        assert mine[name] == wanted[name], name
    body = [b"the body" in part.as_bytes() for part in (ours, theirs)]
    assert body == [ret == "FULL"] * 2
