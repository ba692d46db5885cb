"""Each call as each role, on a server with two domains: nobody reaches further than the rights go.

What is said of example.org must not come to who administers other.test, by whatever call, list, filter, question,
warning or refusal; and nothing of example.org may change.
"""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.fakes import FakeIds, InlinePool
from tests.unit.services.admin.office import CALLS, Office, item
from whimbrel.backends.config.tokens import TokenFile
from whimbrel.core.rights import Grants, Right
from whimbrel.core.values import Duration, Secret, Size
from whimbrel.services.admin.calls import Call, CallError, Failure, FileText, Parameter
from whimbrel.services.admin.context import AdminContext, Caller
from whimbrel.services.admin.invoke import prepare, question, result_adapter, run, run_stream
from whimbrel.services.admin.server.operations import Operations

OWN, FOREIGN = "other.test", "example.org"
ROLES = {
    "nothing": Grants.of("none", own="other.test"),
    "accounts": Grants.of("none", ["accounts other.test"], "other.test"),
    "domain": Grants.of("domain", own="other.test"),
    "server-read": Grants.of("server-read", own="other.test"),
    "server-write": Grants.of("server-write", own="other.test"),
    "mail-read": Grants.of("none", ["mail-read"], "other.test"),
}
RIGHTS = {
    Right.SELF: {
        "admin": "token-create token-list token-revoke session-list session-end", "operation": "list watch cancel",
    },
    Right.ACCOUNTS: {
        "domain": "list show clean-out", "alias": "list show add set remove rename check",
        "group": "list show add set remove rename", "template": "list show add set remove",
        "user": "list show sign-ins unlock add set remove enable disable password password-link "
        "password-link-revoke removed-list removed-restore "
        "removed-purge rename leave import export quota clean-out",
        "store": "undelete-list", "connection": "list watch disconnect", "change": "list show undo",
    },
    Right.SERVER_WRITE: {"test": "tls"},  # It changes nothing, and connects to whatever is named.
}  # fmt: skip
"""All others are of the whole server."""
OF_DOMAINS = ("accounts", "domain")


def declared(call: Call) -> Right:
    for right, verbs in RIGHTS.items():
        if call.verb in verbs.get(call.noun, "").split():
            return right
    return Right.SERVER_READ if call.reads else Right.SERVER_WRITE


@pytest.mark.parametrize("call", CALLS.values(), ids=lambda call: call.name)
def test_the_right_of_a_call_is_written_down_here_too(call: Call) -> None:
    """A call that is new, or asks for less, is named in RIGHTS by who has thought about it."""
    assert call.right is declared(call)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    office = Office(tmp_path_factory.mktemp("rights") / "office")
    for domain in (OWN, FOREIGN):
        office.do("user add", name=f"gone@{domain}", full_name=f"Gone of {domain}")
        office.do(
            "user add", name=f"una@{domain}", full_name=f"Una of {domain}", alias=["una2"], forward_to=[f"una@{domain}"]
        )
        office.do("alias add", name=f"info@{domain}", to=[f"una@{domain}"])
        office.do("group add", name=f"staff@{domain}", member=[f"una@{domain}", f"una@{OWN}"])
        office.do("template add", name=f"clerk@{domain}", description=f"Una of {domain}", group=["staff"])
    for domain in (OWN, FOREIGN):
        office.clock.forward(1)
        office.do("user remove", name=f"gone@{domain}")
    office.queue.items.append(item(1, f"una@{FOREIGN}"))
    office.keeper.folders = {f"una@{domain}": {"INBOX": ()} for domain in (OWN, FOREIGN)}
    return office


def context(office: Office, role: str) -> AdminContext:
    folder = office.folder
    tokens = TokenFile(folder / "tokens.json", folder / "users.cfg", InlinePool())
    caller = Caller(f"una@{OWN}", ROLES[role], f"una@{OWN}", "192.0.2.1")
    operations = Operations(office.state, office.clock, office.log, FakeIds().session_id)
    return office.context(tokens=tokens, operations=operations, dry_run=True).request(caller, dry_run=True)


def arguments(call: Call, domain: str, removed: str) -> dict[str, Any]:
    """What makes the call about something of `domain`."""
    return {p.name: _value(call, p, domain, removed) for p in call.parameters if p.required or p.name in _NAMING}


_NAMING = {"domain", "account"}
_OTHERS = {
    "path": "smtp/max-message-size", "value": "10M", "words": "size", "text": "x", "file": "x", "version": 1,
    "category": "smtp", "rights": "none", "id": "q1", "address": "una@{}", "to": ["una@{}"], "new": "new@{}",
    "member": ["una@{}"], "names": ["x"], "right": "none", "values": {},
}  # fmt: skip


def _value(call: Call, parameter: Parameter, domain: str, removed: str) -> Any:
    named = {
        "user": f"una@{domain}", "alias": f"info@{domain}", "group": f"staff@{domain}", "domain": domain,
        "template": f"clerk@{domain}",
        "message": "q1", "service": "imap", "task": "t1", "job": "main", "operation": "o1",
        "setting": "smtp/max-message-size",
    }  # fmt: skip
    if call.verb in ("add", "create") and parameter.name == "name":
        value: Any = f"new@{domain}" if call.noun != "domain" else f"new.{domain}"
    elif parameter.name == "removed":
        value = removed
    elif call.name == "user import":
        value = f"address,name\nnew@{domain},New\n"
    elif call.name == "domain rename" and parameter.name == "new":
        value = "new.test"
    elif parameter.known in named:
        value = named[parameter.known]
    elif parameter.name in _OTHERS:
        value = _OTHERS[parameter.name]
        value = (
            [text.format(domain) for text in value]
            if isinstance(value, list)
            else (value.format(domain) if isinstance(value, str) else value)
        )
    else:
        plain: dict[Any, Any] = {int: 1, bool: True, Size: "1M", Duration: "1h", Secret: "x-horse-4711", FileText: "x"}
        value = parameter.choices[0] if parameter.choices else plain.get(parameter.kind, f"x@{domain}")
    return [value] if parameter.many and not isinstance(value, list) else value


async def asked(call: Call, ctx: AdminContext, given: dict[str, Any]) -> tuple[Failure | None, str]:
    """How a call is refused, if it is; and all that comes back: the question before, the answer, the warnings."""
    said: list[str] = []
    try:
        made = prepare(call, ctx, given)
        if call.confirm:
            said.append(await question(made))
        if call.streams:
            async for each in run_stream(made):
                said.append(result_adapter(call).dump_json(each).decode())
        else:
            said.append(result_adapter(call).dump_json(await run(made)).decode())
        said += made.ctx.warnings
    except CallError as error:
        said.append(json.dumps([error.text, *(fault.text for fault in error.fields)]))
        return error.kind, " ".join(said)
    return None, " ".join(said)


def ask(office: Office, role: str, call: Call, given: dict[str, Any]) -> tuple[Failure | None, str]:
    async def work() -> tuple[Failure | None, str]:
        return await asked(call, context(office, role), given)

    return asyncio.run(work())


def removed_of(office: Office, domain: str) -> str:
    rows = office.do("user removed-list").items
    return next(str(row.id) for row in rows if domain in str(row))


def may(role: str, call: Call) -> bool:
    if call.right is Right.SELF or role == "server-write":
        return True
    if call.reads:
        return role == "server-read" or (role in OF_DOMAINS and call.right in (Right.ACCOUNTS, Right.DOMAIN))
    return (role in OF_DOMAINS and call.right is Right.ACCOUNTS) or (role == "domain" and call.right is Right.DOMAIN)


@pytest.mark.parametrize("role", ROLES)
def test_each_call_is_for_who_has_its_right(office: Office, role: str) -> None:
    removed = removed_of(office, OWN)
    wrong = []
    for call in CALLS.values():
        if call.name in ("user show", "user set", "user quota", "user password"):
            continue  # Also of oneself: below.
        kind, text = ask(office, role, call, arguments(call, OWN, removed))
        expected = may(role, call) and call.shows_mail is None
        if (kind is not Failure.FORBIDDEN) is not expected and call.name not in _ASKS_ITSELF:
            wrong.append(f"{call.name}: {kind} {text}")
    assert not wrong


_ASKS_ITSELF = {"admin token-create", "user rename"}
"""Here: nobody makes a token of nothing, and a group of another domain names the user who would be renamed."""


@pytest.mark.parametrize("role", ["nothing", "mail-read", "server-read"])
def test_for_oneself_everybody_may_what_is_the_own(office: Office, role: str) -> None:
    for name, given in (
        ("user show", {}), ("user quota", {}), ("user password", {"password": "x-horse-4711"}),
    ):  # fmt: skip
        kind, _ = ask(office, role, CALLS[name], {"name": f"una@{OWN}", **given})
        assert kind in (None, Failure.UNAVAILABLE), name  # There are no quotas at this office.
    for name, given in (
        ("user set", {"quota": "1T"}), ("user set", {"enabled": True}), ("user disable", {}),
        ("user rights", {"rights": "domain"}),
    ):  # fmt: skip
        kind, _ = ask(office, role, CALLS[name], {"name": f"una@{OWN}", **given})
        assert kind in (Failure.FORBIDDEN, Failure.USAGE), name
    if role != "server-read":
        assert ask(office, role, CALLS["user show"], {"name": f"bob@{OWN}"})[0] is Failure.FORBIDDEN


def within(call: Call) -> bool:
    return call.right in (Right.ACCOUNTS, Right.DOMAIN, Right.SELF)


EMPTY = ('{"items":[],"more":""}', '{"items":[],"more":"","total":0}')


@pytest.mark.parametrize("role", OF_DOMAINS)
@pytest.mark.parametrize("call", [call for call in CALLS.values() if within(call)], ids=lambda call: call.name)
def test_who_administers_a_domain_reaches_no_other(office: Office, role: str, call: Call) -> None:
    given = arguments(call, FOREIGN, removed_of(office, FOREIGN))
    kind, said = ask(office, role, call, given)
    if any(FOREIGN in str(value) for value in given.values()) or "removed" in given:
        refused = kind in (Failure.FORBIDDEN, Failure.NOT_FOUND, Failure.REFUSED)
        assert refused or call.right is Right.SELF or said in EMPTY, said
    assert "Una of example" not in said and "Gone of example" not in said
    named = json.dumps(given)
    for mark in (f"una@{FOREIGN}", f"info@{FOREIGN}", f"staff@{FOREIGN}", f"alice@{FOREIGN}", f"gone@{FOREIGN}"):
        assert mark in named or mark not in said, said


@pytest.mark.parametrize("role", OF_DOMAINS)
@pytest.mark.parametrize("call", [call for call in CALLS.values() if within(call)], ids=lambda call: call.name)
def test_what_comes_back_of_the_own_names_nothing_of_another_domain(office: Office, role: str, call: Call) -> None:
    for given in (arguments(call, OWN, removed_of(office, OWN)), _without(call)):
        if given is not None:
            _, said = ask(office, role, call, given)
            assert FOREIGN not in said, said


def _without(call: Call) -> dict[str, Any] | None:
    """No arguments, where none must be given: all there is."""
    return None if any(parameter.required for parameter in call.parameters) else {}


NAMED = [
    ("user show", {"name": "una@exampel.org"}),
    ("user list", {"domain": "exampel.org"}),
    ("user set", {"name": f"una@{OWN}", "alias": [f"una@{FOREIGN}"]}),
    ("user rename", {"name": f"una@{OWN}", "new": f"una3@{FOREIGN}"}),
    ("alias rename", {"name": f"info@{OWN}", "new": f"info3@{FOREIGN}"}),
    ("group rename", {"name": f"staff@{OWN}", "new": f"staff3@{FOREIGN}"}),
    ("user remove", {"name": f"una@{OWN}"}),
    ("user remove", {"name": f"una@{OWN}", "everywhere": True}),
    ("user rename", {"name": f"una@{OWN}", "new": f"una3@{OWN}"}),
    ("user set", {"name": f"una@{OWN}", "forward_to": [f"info@{FOREIGN}"]}),
    ("alias set", {"name": f"info@{OWN}", "to": [f"info@{FOREIGN}"]}),
    ("user import", {"file": f"address\nnew@{FOREIGN}\n", "create_domains": True}),
    ("user import", {"file": f"address\nuna@{FOREIGN}\nuna@{OWN}\n", "update": True, "skip_bad": True}),
    ("user import", {"file": "address\nnew@new.test\n", "create_domains": True}),
    ("domain clean-out", {"name": FOREIGN}),
    ("user list", {"after": f"a@{FOREIGN}"}),
    ("user list", {"after": f"zzz@{FOREIGN}", "search": "Una"}),
    ("alias list", {"search": "info"}),
    ("group list", {"search": "staff"}),
    ("template list", {"search": "clerk"}),
    ("template show", {"name": "clerk@exampel.org"}),
    ("template add", {"name": f"new@{OWN}", "offered_to": [FOREIGN]}),
    ("template add", {"name": f"new@{OWN}", "group": [f"staff@{FOREIGN}"]}),
    ("user add", {"name": f"new@{OWN}", "template": "clerk@exampel.org"}),
    ("user add", {"name": f"new@{OWN}", "template": f"clerk@{FOREIGN}"}),
    ("user import", {"file": f"address,template\nnew@{OWN},clerk@{FOREIGN}\n"}),
    ("user export", {}),
]


@pytest.mark.parametrize("role", OF_DOMAINS)
@pytest.mark.parametrize(("name", "given"), NAMED, ids=lambda value: str(value)[:60])
def test_by_no_detour_either(office: Office, role: str, name: str, given: dict[str, Any]) -> None:
    _, said = ask(office, role, CALLS[name], given)
    given_too = json.dumps(given)
    for mark in ("Una of example", "staff@example.org", "info@example.org", "una@example.org", "alice", FOREIGN):
        assert mark in given_too or mark not in said, said


@pytest.mark.parametrize("role", OF_DOMAINS)
def test_a_bare_name_is_of_the_primary_domain_and_of_nobody_there(office: Office, role: str) -> None:
    """That domain itself every greeting tells."""
    answers = {name: ask(office, role, CALLS["user show"], {"name": name}) for name in ("una", "nobody")}
    assert answers["una"] == answers["nobody"] and answers["una"][0] is Failure.FORBIDDEN


@pytest.mark.parametrize("field", ["forward_to", "alias_to"])
def test_what_a_warning_would_tell_of_another_domain_stays_there(changing: Office, field: str) -> None:
    office = changing
    office.do("alias add", name=f"hidden@{FOREIGN}", to=[f"nobody-knows@{FOREIGN}"])

    async def work() -> list[str]:
        ctx = replace(context(office, "domain"), dry_run=False)
        if field == "forward_to":
            given: dict[str, Any] = {"name": f"una@{OWN}", "forward_to": [f"hidden@{FOREIGN}"]}
            made = prepare(CALLS["user set"], ctx, given)
        else:
            made = prepare(CALLS["alias add"], ctx, {"name": f"to@{OWN}", "to": [f"hidden@{FOREIGN}"]})
        return [str(await run(made)), *made.ctx.warnings]

    said = " ".join(asyncio.run(work()))
    assert "nobody-knows" not in said and "a domain here that you do not administer" in said


@pytest.fixture
def changing(tmp_path: Path) -> Iterator[Office]:
    office = Office(tmp_path / "office")
    office.do("user add", name=f"una@{OWN}")
    yield office


@pytest.mark.parametrize(
    "call", [call for call in CALLS.values() if within(call) and not call.reads], ids=lambda call: call.name
)
def test_nothing_of_another_domain_is_changed(changing: Office, call: Call) -> None:
    office = changing
    office.do("user add", name=f"una@{FOREIGN}")
    office.do("alias add", name=f"info@{FOREIGN}", to=["una"])
    office.do("group add", name=f"staff@{FOREIGN}", member=["una"])
    office.do("template add", name=f"clerk@{FOREIGN}")
    before = office.users

    async def work() -> None:
        ctx = replace(context(office, "domain"), dry_run=False)
        await asked(call, ctx, arguments(call, FOREIGN, "x"))

    asyncio.run(work())
    assert office.users == before
