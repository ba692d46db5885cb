"""Users from and to CSV."""

from pathlib import Path

import pytest

from tests.unit.services.admin.office import Office
from whimbrel.core.rights import Grants
from whimbrel.services.admin.calls import CallError
from whimbrel.services.admin.context import Caller
from whimbrel.services.admin.people.user_lines import read_users

GOOD = """address,password,name,rights,quota
carol@example.org,secret one,Carol,domain,2G
"dave@other.test","four,""words that fit",Dave "D",none,
erin,,,,
"""

ONE_ADMINISTRATOR = {"confirmed": "make 1 administrator"}


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path / "office")


def test_a_table_becomes_users(office: Office) -> None:
    found = office.do("user import", ONE_ADMINISTRATOR, file=GOOD)
    assert (found.added, found.changed) == (3, 0)
    carol = office.do("user show", name="carol")
    assert (carol.full_name, carol.rights, carol.quota, carol.has_password) == ("Carol", "domain", 2 << 30, True)
    assert not office.do("user show", name="erin").has_password


def test_every_fault_is_told_with_its_line_and_nobody_is_taken(office: Office) -> None:
    before = office.users
    table = (
        "carol@example.org,four words that fit,C,none,1G\n\n# remark\nalice@example.org,four words that fit,A,none,\n"
        "f@exampl.org,,,,\ng,,,,\nG,,,,\n"
    )
    with pytest.raises(CallError) as caught:
        office.do("user import", file=table)
    assert [fault.name for fault in caught.value.fields] == ["line 4", "line 5", "line 7"]
    assert "alice@example.org exists already; 'update' changes it" in caught.value.text
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
    table = "v@example.org,{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=,,,\np@example.org,{PLAIN}{SHA}x-4711-8,,,\n"
    office.do("user import", file=table)
    moved, plain = office.users.split('name="v"')[1], office.users.split('name="p"')[1]
    assert "<password>${SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=</password>" in moved
    assert "<password>$argon2id$" in plain


def test_update_changes_only_what_the_cells_say(office: Office) -> None:
    office.do("user set", name="alice", quota="1G")
    verifier = office.users
    found = office.do("user import", ONE_ADMINISTRATOR, file="alice@example.org,,,server-read,\n", update=True)
    assert (found.added, found.changed) == (0, 1)
    alice = office.do("user show", name="alice")
    assert (alice.full_name, alice.rights, alice.quota, alice.has_password) == (
        "Alice Adams", "server-read", 1 << 30, True,
    )  # fmt: skip
    assert verifier.count("$argon2id$") == office.users.count("$argon2id$")


def test_export_is_what_import_reads(office: Office) -> None:
    office.do("user import", ONE_ADMINISTRATOR, file=GOOD)
    text = office.do("user export").text
    assert "$argon2" not in text
    again = office.do("user import", ONE_ADMINISTRATOR, file=text, update=True)
    assert (again.added, again.changed) == (0, 5)
    assert office.do("user export").text == text


KERIO = """Name;Password;FullName;Description;MailAddress;Groups
jdoe;eine gute erste;John Doe;Sales;j.doe@example.org,john;staff
"""
GOOGLE = """First Name [Required],Last Name [Required],Email Address [Required],Password [Required],\
Password Hash Function [UPLOAD ONLY],Org Unit Path [Required]
Jane,Roe,jane@example.org,0123456789abcdef0123456789abcdef01234567,SHA-1,/
"""
MICROSOFT = """User principal name,Display name,First name,Last name,Job title,Block credential,ProxyAddresses
max@example.org,Max Muster,Max,Muster,Cook,True,SMTP:max@example.org;smtp:m.muster@example.org
"""
CPANEL = """email,password,quota mb
sales@example.org,eine gute zweite,250
all@example.org,eine gute dritte,unlimited
"""


def test_tables_of_other_servers_are_understood(office: Office) -> None:
    office.do("group add", name="staff@example.org", member=["alice"])
    for table in (KERIO, GOOGLE.replace("\\\n", ""), MICROSOFT, CPANEL):
        office.do("user import", file=table)
    john, jane, max_, sales = (office.do("user show", name=name) for name in ("jdoe", "jane", "max", "sales"))
    assert (john.full_name, john.description, john.aliases) == ("John Doe", "Sales", ("j.doe", "john"))
    assert office.do("group show", name="staff").members == ("alice", "jdoe@example.org")
    assert (jane.full_name, jane.has_password) == ("Jane Roe", True)
    assert "{SHA" in office.users
    assert (max_.enabled, max_.full_name, max_.aliases) == (False, "Max Muster", ("m.muster",))
    assert (sales.quota, office.do("user show", name="all").quota) == (250 << 20, 0)


def test_what_the_heading_of_today_makes_a_user_of_is_no_user(office: Office) -> None:
    office.do("user import", file="username,password\nanna,eine gute geheime\n")
    assert office.do("user show", name="anna").has_password
    assert "username" not in office.users


def test_columns_stand_in_any_order_and_username_with_domain_is_an_address(office: Office) -> None:
    office.do("user import", file="Domain\tQuota\tUsername\tForward\nother.test\t2G\tanna\tx@away.test;y@away.test\n")
    anna = office.do("user show", name="anna@other.test")
    assert (anna.quota, anna.forward_to) == (2 << 30, ("x@away.test", "y@away.test"))


def test_domains_are_made_only_if_that_is_wanted(office: Office) -> None:
    table = "address,name\na@new.test,A\nb@new.test,B\n"
    with pytest.raises(CallError) as told:
        office.do("user import", file=table)
    assert [fault.name for fault in told.value.fields] == ["line 2", "line 3"]
    assert "'create-domains'" in told.value.text
    assert "domains that were added: new.test" in office.do("user import", file=table, create_domains=True).text
    assert office.do("user show", name="b@new.test").full_name == "B"


def test_the_good_lines_can_be_taken_alone(office: Office) -> None:
    table = "address,quota\na@example.org,1G\nalice@example.org,\nb@example.org,much\nc@example.org,2G\n"
    found = office.do("user import", file=table, skip_bad=True)
    assert (found.added, len(found.skipped)) == (2, 2)
    assert [skipped.partition(":")[0] for skipped in found.skipped] == ["line 3", "line 4"]
    assert office.do("user show", name="c").quota == 2 << 30


def test_names_that_collide_inside_a_table_are_told_by_line(office: Office) -> None:
    table = "address,aliases\na@example.org,x\nb@example.org,x\nc@example.org,alice\nd@example.org,\n"
    with pytest.raises(CallError) as told:
        office.do("user import", file=table)
    assert [(fault.name, "already" in fault.text) for fault in told.value.fields] == [
        ("line 3", True),
        ("line 4", True),
    ]
    assert "a@example.org" not in office.users


def test_a_number_that_would_be_octets_is_asked_about(office: Office) -> None:
    with pytest.raises(CallError, match="write 250M"):
        office.do("user import", file="email,quota\na@example.org,250\n")


def test_nobody_gives_addresses_outside_the_own_domains_by_a_table(office: Office) -> None:
    admin = {"caller": Caller("x", Grants.of("domain example.org"))}
    for row in ("a@other.test,", "a@example.org,b@other.test", "a@example.org,x@alias.test"):
        with pytest.raises(CallError, match="only"):
            office.do("user import", admin, file=f"address,aliases\n{row}\n")
    for create in (False, True):
        with pytest.raises(CallError):
            office.do("user import", admin, file="address\na@new.test\n", create_domains=create)
    with pytest.raises(CallError, match="right"):
        office.do("user import", admin, file="address,rights\na@example.org,server-write\n")
    office.do("user import", admin, file="address,aliases\na@example.org,b@example.org\n")
    assert office.do("user show", name="a").aliases == ("b",)


def test_an_address_in_another_domain_of_ours_becomes_an_alias(office: Office) -> None:
    office.do("user import", file="address,aliases\na@example.org,b;c@other.test\n")
    assert office.do("alias show", name="c@other.test").to == ("a@example.org",)


def test_a_dry_run_checks_all_and_takes_nobody(office: Office) -> None:
    before = office.users
    found = office.do("user import", {"dry_run": True}, file=GOOD)
    assert found.added == 3 and "would be" in found.text
    assert office.users == before
    with pytest.raises(CallError):
        office.do("user import", {"dry_run": True}, file="address\nalice@example.org\n")


def test_what_is_exported_runs_in_no_spreadsheet_and_is_read_back(office: Office) -> None:
    office.do("user set", name="alice", full_name="=cmd|'/c calc'!A1", forward_to=["x@away.test", "y@away.test"])
    text = office.do("user export").text
    assert "'=cmd" in text and ",=cmd" not in text
    office.do("user import", file=text, update=True)
    alice = office.do("user show", name="alice")
    assert (alice.full_name, alice.forward_to) == ("=cmd|'/c calc'!A1", ("x@away.test", "y@away.test"))


def test_names_that_clash_with_a_line_that_is_wrong_otherwise_are_told_in_the_same_round(office: Office) -> None:
    table = "address,aliases\nalice@example.org,carl\nanna@example.org,carl\nfay@example.org,alice\n"
    with pytest.raises(CallError) as error:
        office.do("user import", file=table)
    assert [fault.name for fault in error.value.fields] == ["line 2", "line 3", "line 4"]
    assert "line 2" in error.value.fields[1].text
    assert office.do("user import", file=table, skip_bad=True).added == 1


@pytest.mark.parametrize("table", ["", "\n\n", "address\n", "# nobody\n"])
def test_a_table_without_users_is_refused(office: Office, table: str) -> None:
    with pytest.raises(CallError, match="holds no users"):
        office.do("user import", file=table)


def test_what_is_no_text_is_called_so(office: Office) -> None:
    for call in ("user import", "config import"):
        with pytest.raises(CallError, match="file: is no text but binary data"):
            office.do(call, file="\x30\x82\x00\x01")


ADMINISTRATORS = "address,rights\na@example.org,server-write\nb@example.org,none\nc@example.org,server-read\n"


def test_a_table_makes_administrators_only_when_asked_for_them_by_name_and_number(office: Office) -> None:
    before = office.users
    for confirmed in ("", "yes", "make 1 administrator"):
        with pytest.raises(CallError) as caught:
            office.do("user import", {"confirmed": confirmed}, file=ADMINISTRATORS)
        assert caught.value.confirm == "make 2 administrators"
        assert "line 2: a@example.org becomes server-write" in caught.value.text
        assert "line 4: c@example.org becomes server-read" in caught.value.text
        assert "b@example.org" not in caught.value.text
    assert office.users == before
    office.do("user import", {"dry_run": True}, file=ADMINISTRATORS)
    assert "would make 2 administrators" in office.warnings[0]
    assert office.users == before
    office.do("user import", {"confirmed": "make 2 administrators"}, file=ADMINISTRATORS)
    assert office.do("user show", name="a").rights == "server-write"
    again = office.do("user import", file=ADMINISTRATORS, update=True)  # Who is one already is not made one.
    assert again.changed == 3


def test_all_that_is_wrong_with_a_line_is_said_in_one_round(office: Office) -> None:
    row = "anna@nowhere.test,A\u202ea,12 elephants,nosuch@example.org,king,perhaps"
    table = f"address,name,quota,groups,rights,enabled\n{row}\n"
    with pytest.raises(CallError) as caught:
        office.do("user import", file=table)
    texts = [fault.text for fault in caught.value.fields if fault.name == "line 2"]
    for words in ("nowhere.test", "full-name", "elephants", "nosuch@example.org", "king", "perhaps"):
        assert any(words in text for text in texts), (words, texts)


def test_a_password_of_a_table_is_as_good_as_any_other_and_a_verifier_is_not_judged(office: Office) -> None:
    office.do("config set", path="security/password-min-length", value=["10"])
    table = "address,password\nanna@example.org,k3fh-7pwm\nbert@example.org,{PLAIN}password\n"
    with pytest.raises(CallError) as told:
        office.do("user import", file=table)
    assert [(fault.name, fault.text) for fault in told.value.fields] == [
        ("line 2", "password: must have at least 10 characters; this one has 9"),
        ("line 3", "password: must have at least 10 characters; this one has 8"),
    ]
    office.do("user import", file="address,password\nanna@example.org,{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=\n")


def test_users_without_a_password_are_named(office: Office) -> None:
    office.do("user import", file="address,password\nanna@example.org,\nbert@example.org,eine gute geheime\n")
    assert any("1 user without a password" in text and "anna@example.org" in text for text in office.warnings)
    assert not any("bert" in text for text in office.warnings)
