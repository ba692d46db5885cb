"""The calls of the noun `test`: who may, what is refused, what comes back."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from tests.support.fakes import MemoryLog
from tests.unit.services.admin.office import CALLS, Office, item
from tests.unit.services.health.ward import Names, Ward
from whimbrel.core.address import Domain
from whimbrel.core.errors import MailError
from whimbrel.core.rights import Grants
from whimbrel.services.admin.calls import CallError, Failure
from whimbrel.services.admin.context import Caller
from whimbrel.services.admin.invoke import stream
from whimbrel.services.health.board import Board
from whimbrel.services.probing.ports import Probes, ProbeStep


class Zone:
    """DNS with these answers by type and name."""

    def __init__(self, answers: dict[tuple[str, str], list[str]] | None = None) -> None:
        self.names = Names(answers or {})

    async def records(self, name: str, kind: str) -> list[str]:
        return list(self.names._ask(kind, name))


class MemoryPost:
    def __init__(self) -> None:
        self.sent: list[tuple[tuple[str, ...], str]] = []
        self.error: MailError | None = None

    async def send(self, to: Sequence[str], subject: str, text: str, *, language: str = "en") -> str:
        if self.error is not None:
            raise self.error
        self.sent.append((tuple(to), subject))
        return "q1"


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path / "office")


def steps(
    office: Office, call: str, *, zone: Zone | None = None, post: Any = None, **arguments: Any
) -> list[ProbeStep]:
    zone = zone or Zone()
    probes = Probes(cast(Any, None), zone.names, zone, post or MemoryPost())
    more = arguments.pop("more", {})

    async def work() -> list[ProbeStep]:
        board = Board((), Ward().context(), MemoryLog())
        ctx = office.context(probes=probes, health=board, **more)
        return [cast(ProbeStep, step) async for step in stream(CALLS[call], ctx, arguments)]

    return asyncio.run(work())


def test_records_are_shown_as_the_server_sees_them(office: Office) -> None:
    zone = Zone({("MX", "example.org"): ["10 mail.example.org"], ("TXT", "example.org"): ["v=spf1 -all"]})
    shown = steps(office, "test dns", zone=zone, name="Example.ORG.")
    assert tuple(step.text for step in shown if "value" in step.facts) == (
        "example.org  MX  10 mail.example.org",
        "example.org  TXT  v=spf1 -all",
    )
    (only,) = steps(office, "test dns", zone=zone, name="example.org", type=["TXT"])
    assert only.facts["value"] == "v=spf1 -all"


def test_an_address_is_looked_up_in_reverse(office: Office) -> None:
    zone = Zone({("PTR", "1.2.0.192.in-addr.arpa"): ["mail.example.org"]})
    (step,) = steps(office, "test dns", zone=zone, name="192.0.2.1")
    assert step.facts["value"] == "mail.example.org"


def test_a_name_that_does_not_exist_is_a_problem(office: Office) -> None:
    (step,) = steps(office, "test dns", name="gone.example.org")
    assert step.problems == ("gone.example.org does not exist.",)


@pytest.mark.parametrize("call", ["test dns", "test smtp"])
@pytest.mark.parametrize("name", ["http://example.org/", "a b", "bob@example.org", ""])
def test_what_is_no_host_is_refused_with_an_example(office: Office, call: str, name: str) -> None:
    with pytest.raises(CallError) as caught:
        steps(office, call, name=name)
    assert caught.value.kind is Failure.USAGE


@pytest.mark.parametrize("place", ["example.org:0", "example.org:99999", "example.org:https"])
def test_what_is_no_port_is_refused(office: Office, place: str) -> None:
    with pytest.raises(CallError) as caught:
        steps(office, "test tls", place=place)
    assert caught.value.kind is Failure.USAGE


@pytest.mark.parametrize("call", sorted(name for name in CALLS if name.startswith("test ")))
def test_only_administrators_of_the_whole_server_may(office: Office, call: str) -> None:
    arguments = {"test dns": {"name": "x.test"}, "test smtp": {"name": "x.test"}, "test tls": {"place": "x.test"}}
    arguments |= {"test mail": {"address": "bob@x.test"}, "test ports": {}}
    for grants in (Grants.of("domain", own=Domain("example.org")), Grants.of("none")):
        with pytest.raises(CallError) as caught:
            steps(office, call, more={"caller": Caller("carol", grants)}, **arguments[call])
        assert caught.value.kind is Failure.FORBIDDEN


def test_a_dry_run_calls_and_sends_nothing(office: Office) -> None:
    post = MemoryPost()
    (step,) = steps(office, "test smtp", name="192.0.2.1", more={"dry_run": True})  # There is no dialler to call with.
    assert "would be called" in step.text
    steps(office, "test mail", address="bob@example.org", post=post, more={"dry_run": True})
    assert post.sent == []


def test_a_test_message_is_followed_until_it_has_left_the_queue(office: Office) -> None:
    post = MemoryPost()
    shown = steps(office, "test mail", address="bob@example.org", post=post)
    assert post.sent == [(("bob@example.org",), "Test message")]
    assert shown[0].facts["queue_id"] == "q1"
    assert not [problem for step in shown for problem in step.problems]


def test_a_test_message_that_waits_says_why(office: Office) -> None:
    office.queue.items.append(item(1))
    shown = steps(office, "test mail", address="bob@remote.test", seconds=1)
    assert any(step.text == "it waits: 4.4.1 Cannot connect" for step in shown)
    assert shown[-1].problems == ("After 1 seconds it still waits: 4.4.1 Cannot connect.",)


def test_a_test_message_that_is_refused_is_an_error(office: Office) -> None:
    post = MemoryPost()
    post.error = MailError(550, "5.1.1", "No such user here")
    with pytest.raises(CallError, match="No such user here"):
        steps(office, "test mail", address="nobody@example.org", post=post)


def test_ports_without_a_server_are_free_or_held(office: Office) -> None:
    shown = steps(office, "test ports", more={"live": False})
    assert shown
    assert all("free" in step.text for step in shown)
