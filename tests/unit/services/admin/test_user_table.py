"""Users from and to CSV."""

from pathlib import Path

import pytest

from tests.unit.services.admin.office import Office
from whimbrel.services.admin.calls import CallError
from whimbrel.services.admin.user_table import read_users

GOOD = """address,password,name,rights,quota
carol@example.org,secret one,Carol,domain,2G
"dave@other.test","a,""b",Dave "D",none,
erin,,,,
"""


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path / "office")


def test_a_table_becomes_users(office: Office) -> None:
    found = office.do("user import", file=GOOD)
    assert (found.added, found.changed) == (3, 0)
    carol = office.do("user show", name="carol")
    assert (carol.full_name, carol.rights, carol.quota, carol.has_password) == ("Carol", "domain", "2G", True)
    assert not office.do("user show", name="erin").has_password


def test_every_fault_is_told_with_its_line_and_nobody_is_taken(office: Office) -> None:
    before = office.users
    table = "carol@example.org,x,C,none,1G\n\n# remark\nalice@example.org,x,A,none,\nf@exampl.org,,,,\ng,,,,\nG,,,,\n"
    with pytest.raises(CallError) as caught:
        office.do("user import", file=table)
    assert [fault.name for fault in caught.value.fields] == ["line 4", "line 5", "line 7"]
    assert "alice@example.org exists already; --update changes it" in caught.value.text
    assert "did you mean 'example.org'?" in caught.value.text
    assert "stands in line 6 already" in caught.value.text
    assert office.users == before


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("a@b.test,x,N,serverwrite,", "rights: 'serverwrite' is not one of"),
        ("a@b.test,x,N,,much", "'much' is not a size"),
        ("a@b.test,x,N,,,extra", "has 6 columns, not 5"),
        ('a@b.test,"x\ny",,,', "control characters"),
        ('a@b.test,"x', "is not CSV"),
        ("a@b.test,{SSHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=,,,", "line 1: password: {SSHA} has 20 octets and a salt"),
        ("a@b.test,$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW,,,", "this one costs 31"),
        ("a@b.test,{CRAM-MD5}e02d374fde0dc75a,,,", "no scheme that can be checked here"),
        ("address,pasword\na@b.test,x", "unknown column 'pasword'; did you mean 'password'?"),
    ],
)
def test_a_bad_line_is_refused(line: str, text: str) -> None:
    with pytest.raises(CallError) as caught:
        read_users(line)
    assert text in caught.value.text


def test_verifiers_of_other_servers_move_along(office: Office) -> None:
    table = "v@example.org,{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=,,,\np@example.org,{PLAIN}{SHA}x,,,\n"
    office.do("user import", file=table)
    moved, plain = office.users.split('name="v"')[1], office.users.split('name="p"')[1]
    assert "<password>${SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=</password>" in moved
    assert "<password>$argon2id$" in plain


def test_update_changes_only_what_the_cells_say(office: Office) -> None:
    office.do("user set", name="alice", quota="1G")
    verifier = office.users
    found = office.do("user import", file="alice@example.org,,,server-read,\n", update=True)
    assert (found.added, found.changed) == (0, 1)
    alice = office.do("user show", name="alice")
    assert (alice.full_name, alice.rights, alice.quota, alice.has_password) == (
        "Alice Adams", "server-read", "1G", True,
    )  # fmt: skip
    assert verifier.count("$argon2id$") == office.users.count("$argon2id$")


def test_export_is_what_import_reads(office: Office) -> None:
    office.do("user import", file=GOOD)
    text = office.do("user export").text
    assert "$argon2" not in text
    again = office.do("user import", file=text, update=True)
    assert (again.added, again.changed) == (0, 5)
    assert office.do("user export").text == text
