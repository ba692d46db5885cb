"""Two servers that forward to each other: each mailbox has its copy once, and who has none is told to the sender."""

import smtplib
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.support.mail import eventually, letter, send
from tests.support.server import Running, command, free_ports, serving, set_up

ONE, TWO = "one.test", "two.test"
ANNA = f"anna@{ONE}"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Running]]:
    base = tmp_path_factory.mktemp("circle")
    ports = free_ports([ONE, TWO])
    with ExitStack() as stack:
        made: dict[str, Running] = {}
        for own, other in ((ONE, TWO), (TWO, ONE)):
            folder = base / own
            relay = {"delivery/relay-host": "127.0.0.1", "delivery/relay-port": str(ports[other])}
            set_up(folder, 1, {"smtp": ports[own]}, relay)
            command(folder, "domain", "add", own)
            made[own] = stack.enter_context(serving(folder))
        one, two = base / ONE, base / TWO
        for name in ("anna", "carol"):
            command(one, "user", "add", f"{name}@{ONE}")
        for kept in ("--keep-copy", "--no-keep-copy"):
            name = kept.strip("-").partition("-")[0]  # keep, no
            command(one, "user", "add", f"{name}@{ONE}", "--forward-to", f"{name}@{TWO}", kept)
            command(two, "user", "add", f"{name}@{TWO}", "--forward-to", f"{name}@{ONE}", kept)
        command(one, "alias", "add", f"info@{ONE}", f"keep@{ONE}")
        command(one, "group", "add", f"all@{ONE}", "--member", f"info@{ONE}", "--member", f"carol@{ONE}")
        yield made


def stored(server: Running, user: str, domain: str) -> list[bytes]:
    folder = server.directory / "store" / "mail" / domain / user
    return [path.read_bytes() for path in folder.rglob("*.eml")] if folder.exists() else []


def copies(pair: dict[str, Running], subject: str) -> dict[str, int]:
    """By mailbox, how often it holds the message; reports to anna count as `told`."""
    found: dict[str, int] = {}
    for domain, user in ((ONE, "keep"), (TWO, "keep"), (ONE, "no"), (TWO, "no"), (ONE, "carol")):
        number = sum(f"Subject: {subject}\r\n".encode() in mail for mail in stored(pair[domain], user, domain))
        if number:
            found[f"{user}@{domain}"] = number
    return found


def quiet(pair: dict[str, Running]) -> bool:
    """Nothing waits in either queue."""
    return all(not list((server.directory / "store" / "queue").glob("*.eml")) for server in pair.values())


@pytest.mark.parametrize("to", ["keep", "keep+tag", "info"])
def test_a_circle_that_keeps_copies_leaves_one_in_each_mailbox(pair: dict[str, Running], to: str) -> None:
    subject = f"circle-{to}"
    send(pair[ONE], f"{to}@{ONE}", letter(subject, sender=ANNA), sender=ANNA)
    for _ in eventually(60):
        if copies(pair, subject) == {f"keep@{ONE}": 1, f"keep@{TWO}": 1} and quiet(pair):
            break
    assert copies(pair, subject) == {f"keep@{ONE}": 1, f"keep@{TWO}": 1}


def test_a_group_in_the_circle_gives_its_members_one_copy_each(pair: dict[str, Running]) -> None:
    send(pair[ONE], f"all@{ONE}", letter("circle-group", sender=ANNA), sender=ANNA)
    wanted = {f"keep@{ONE}": 1, f"keep@{TWO}": 1, f"carol@{ONE}": 1}
    for _ in eventually(60):
        if copies(pair, "circle-group") == wanted and quiet(pair):
            break
    assert copies(pair, "circle-group") == wanted


def test_a_circle_without_a_copy_is_reported_to_the_sender(pair: dict[str, Running]) -> None:
    before = len(stored(pair[ONE], "anna", ONE))
    send(pair[ONE], f"no@{ONE}", letter("circle-none", sender=ANNA), sender=ANNA)
    for _ in eventually(60):
        if len(stored(pair[ONE], "anna", ONE)) > before and quiet(pair):
            break
    reports = [mail for mail in stored(pair[ONE], "anna", ONE) if b"circle-none" in mail]
    assert len(reports) == 1 and b"Status: 5.4.6" in reports[0]
    assert not copies(pair, "circle-none")


def test_a_circle_inside_one_server_is_told_when_it_is_made_and_refused_when_it_is_written_to(
    pair: dict[str, Running],
) -> None:
    folder = pair[ONE].directory
    command(folder, "user", "add", f"x@{ONE}", "--forward-to", f"y@{ONE}", "--no-keep-copy")
    told = command(folder, "user", "add", f"y@{ONE}", "--forward-to", f"x@{ONE}", "--no-keep-copy")
    assert "leads only back to itself" in told
    with smtplib.SMTP("127.0.0.1", pair[ONE].ports["smtp"]) as client:
        client.ehlo()
        client.mail("a@else.test")
        code, text = client.rcpt(f"x@{ONE}")
    assert code == 554 and b"5.4.6" in text
