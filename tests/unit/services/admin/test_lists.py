"""Lists on the server: an order by any column, filters, how many there are, and pages that stay true."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.services.admin.office import Office, item
from whimbrel.core.address import Domain
from whimbrel.core.mailbox import AccountId
from whimbrel.core.rights import Grants
from whimbrel.services.admin.calls import CallError, Failure
from whimbrel.services.admin.context import Caller
from whimbrel.services.admin.lists import Order, sliced
from whimbrel.services.admin.people.removed import RemovedUser
from whimbrel.services.admin.views import Moment, Octets


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path)
    office.do("user set", name="alice", quota="2G")
    office.do("user add", name="carol@example.org", quota="50M", full_name="Bea", forward_to=["x@remote.test"])
    office.do("user rights", name="carol", rights="domain")
    office.do("user disable", name="bob@other.test")
    return office


def names(office: Office, context: dict[str, Any] | None = None, /, **arguments: Any) -> list[str]:
    return [row.address.partition("@")[0] for row in office.do("user list", context, **arguments).items]


def walk(office: Office, call: str, **arguments: Any) -> list[Any]:
    rows, after = [], ""
    while True:
        page = office.do(call, limit=1, after=after, **arguments)
        assert len(page.items) <= 1
        rows, after = [*rows, *page.items], page.more
        if not after:
            assert len(rows) == page.total
            return rows


def refused(office: Office, call: str, **arguments: Any) -> CallError:
    with pytest.raises(CallError) as caught:
        office.do(call, **arguments)
    return caught.value


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("", "alice carol bob"),
        ("-address", "bob carol alice"),
        ("quota", "bob carol alice"),
        ("-quota", "alice carol bob"),
        ("full_name", "bob alice carol"),
        ("full-name", "bob alice carol"),
        ("rights", "carol alice bob"),
        ("enabled", "bob alice carol"),
        ("-last_sign_in", "carol alice bob"),
    ],
)
def test_users_are_listed_by_any_column(office: Office, sort: str, order: str) -> None:
    office.state.values["sign-in", "alice@example.org"] = "1790000000 imap 192.0.2.1"
    office.state.values["sign-in", "carol@example.org"] = "1790000500 imap 192.0.2.1"
    assert names(office, sort=sort) == order.split()
    assert [row.address.partition("@")[0] for row in walk(office, "user list", sort=sort)] == order.split()


def test_users_are_filtered_and_counted(office: Office) -> None:
    office.state.values["sign-in", "alice@example.org"] = "1790000000 imap 192.0.2.1"
    office.state.values["quota-warned", "carol@example.org"] = "full"
    office.state.values["quota-warned", "alice@example.org"] = "near"
    assert names(office, rights="domain") == ["carol"]
    assert names(office, enabled=False) == ["bob"]
    assert names(office, forwarding=True) == ["carol"] and names(office, forwarding=False) == ["alice", "bob"]
    assert names(office, signed_in=False) == ["carol", "bob"] and names(office, signed_in=True) == ["alice"]
    assert names(office, over_quota=True) == ["carol"]
    assert names(office, over_quota=True, signed_in=True) == []
    assert names(office, domain="example.org", rights="none", search="adams") == ["alice"]
    page = office.do("user list", enabled=True, limit=1)
    assert (len(page.items), page.total, page.items[0].last_sign_in) == (1, 2, 1790000000.0)


def test_what_mailboxes_hold_is_told_when_asked_and_none_is_made(office: Office) -> None:
    rows = {row.address: (row.storage, row.messages) for row in office.do("user list", usage=True, limit=10).items}
    assert rows == {"alice@example.org": (6000, 6), "carol@example.org": (0, 0), "bob@other.test": (0, 0)}
    assert office.do("user list", limit=1).items[0].storage is None
    assert refused(office, "user list", usage=True).fields[0].name == "limit"


def test_who_administers_a_domain_lists_and_counts_its_users_alone(office: Office) -> None:
    for grant in ("accounts other.test", "accounts"):
        caller = {"caller": Caller("eve", Grants.of("none", (grant,), Domain("other.test")), "eve@other.test")}
        assert names(office, caller, sort="-quota") == ["bob"]
        assert office.do("user list", caller).total == 1


@pytest.mark.parametrize(
    ("call", "columns"),
    [
        ("user list", "address last_sign_in full_name enabled rights quota"),
        ("domain list", "name primary description aliases max_message_size"),
        ("alias list", "alias to description"),
        ("group list", "group members description"),
        ("user removed-list", "id address removed messages size record"),
        ("queue list", "id sender recipients status next_attempt attempts size held created message_id client"),
    ],
)
def test_a_column_that_there_is_not_names_those_there_are(office: Office, call: str, columns: str) -> None:
    error = refused(office, call, sort="-colour")
    assert error.kind is Failure.USAGE and "'colour'" in error.text
    for column in columns.split():
        assert column in error.text
    if call not in ("queue list", "user removed-list"):  # Their columns are tried elsewhere.
        for column in columns.split():
            assert office.do(call, sort=f"-{column}") is not None
    assert refused(office, call, sort=columns.split()[-1], after="nonsense").kind is Failure.USAGE


def test_domains_aliases_and_groups_are_ordered_and_counted(office: Office) -> None:
    office.do("domain set", name="other.test", max_message_size="5M", description="B")
    assert [row.name for row in walk(office, "domain list", sort="-max_message_size")] == ["other.test", "example.org"]
    assert [row.name for row in office.do("domain list", sort="-primary").items] == ["example.org", "other.test"]
    for name, to, text in (("b", "x@remote.test", "1"), ("a", "y@remote.test", "3"), ("c", "a@remote.test", "2")):
        office.do("alias add", name=f"{name}@other.test", to=[to], description=text)
        office.do("group add", name=f"g{name}@other.test", member=[to], description=text)
    assert [row.alias[0] for row in walk(office, "alias list", sort="to")] == ["c", "b", "a"]
    assert [row.group[1] for row in walk(office, "group list", sort="-description")] == ["a", "c", "b"]
    assert office.do("alias list", search="a@other", limit=1).total == 1


def test_removed_users_are_listed_the_latest_first_unless_said_otherwise(office: Office) -> None:
    for account, count in (("alice@example.org", 1), ("carol@example.org", 3), ("bob@other.test", 2)):
        office.mail(account, count)
        office.do("user remove", name=account)
        office.clock.time += 60
    assert [row.messages for row in walk(office, "user removed-list")] == [2, 3, 1]
    assert [row.messages for row in walk(office, "user removed-list", sort="messages")] == [1, 2, 3]
    assert office.do("user removed-list", domain="example.org", search="CAROL").total == 1
    caller = {"caller": Caller("eve", Grants.of("none", ("accounts other.test",)), "eve@other.test")}
    assert office.do("user removed-list", caller, limit=1).total == 1


def test_a_page_of_rows_goes_on_where_a_row_was_that_is_gone() -> None:
    rows = [RemovedUser(str(n), f"u{n}@x.test", Moment(n % 3), n, Octets(n), record=bool(n % 2)) for n in range(9)]
    for column in ("removed", "address", "record"):
        for descending in (False, True):
            order = Order(column, descending)
            whole = list(sliced(rows, "id", order, "", 100).items)
            first = sliced(rows, "id", order, "", 4)
            left = [row for row in rows if row is not first.items[-1]]
            assert [*first.items, *sliced(left, "id", order, first.more, 100).items] == whole
    assert AccountId("x") and sliced((), "id", Order("id", descending=False), "", 3).total == 0


def test_the_queue_is_ordered_counted_and_goes_on(office: Office) -> None:
    office.queue.items = [item(n, size=100 * (n % 3), attempts=n) for n in range(5)]
    assert [row.id for row in walk(office, "queue list", sort="-size")] == ["q2", "q4", "q1", "q3", "q0"]
    page = office.do("queue list", to="nobody", sort="attempts")
    assert (page.total, page.waiting) == (0, 5)


def test_domains_say_how_much_they_hold(office: Office) -> None:
    office.do("group add", name="staff@example.org", member=["alice"])
    office.do("alias add", name="info@example.org", to=["alice"])
    rows = {row.name: row for row in office.do("domain list", usage=True).items}
    first, second = rows["example.org"], rows["other.test"]
    users = len(office.do("user list", domain="example.org").items)
    assert (first.user_count, first.group_count, first.alias_count) == (users, 1, 1)
    assert (first.storage, first.messages) == (6000, 6)  # Two folders of alice; the others have no mailbox.
    assert (second.group_count, second.alias_count, second.storage) == (0, 0, 0)
    plain = office.do("domain show", name="example.org")
    assert (plain.user_count, plain.storage, plain.messages) == (users, None, None)
    assert office.do("domain show", name="alias.test", usage=True).storage == 0
    by_users = [row.user_count for row in office.do("domain list", sort="-user_count").items]
    assert by_users == sorted(by_users, reverse=True)


def test_mailboxes_are_counted_within_a_budget(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whimbrel.services.admin.people.domain_list.IN_LIST", 1)
    monkeypatch.setattr("whimbrel.services.admin.people.domain_list.IN_DOMAIN", 1)
    rows = {row.name: row for row in office.do("domain list", usage=True).items}
    assert rows["example.org"].storage is None and rows["example.org"].user_count > 1
    assert office.do("domain show", name="example.org", usage=True).storage is None


@pytest.mark.parametrize("call", ["user list", "domain list", "user removed-list"])
@pytest.mark.parametrize("sort", ["", "-"])
def test_a_jump_into_a_list_goes_on_from_there(office: Office, call: str, sort: str) -> None:
    if call == "user removed-list":
        for name in ("alice@example.org", "carol@example.org"):
            office.mail(name)
            office.do("user remove", name=name)
            office.clock.time += 60
    column = {"user list": "address", "domain list": "name", "user removed-list": "id"}[call]
    every = office.do(call, sort=sort + column).items
    assert len(every) >= 2
    for skip in range(len(every) + 2):
        page = office.do(call, sort=sort + column, skip=skip, limit=1)
        assert (page.items, page.total) == (every[skip : skip + 1], len(every))
        if page.more:
            assert office.do(call, sort=sort + column, after=page.more).items == every[skip + 1 :]
    assert refused(office, call, skip=-1).kind is Failure.USAGE
