"""A setting of a user is declared once: file, account, options, views, completion, CSV and documentation have it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.services.admin.office import CALLS
from whimbrel.core.record import ChangedBy, RecordType
from whimbrel.services.admin.people.fields import options, own_options
from whimbrel.services.admin.people.records import ALIAS, DOMAIN, GROUP, USER

ONE_MORE = """
import sys
from dataclasses import dataclass
from pathlib import Path
from whimbrel.core.record import Part, value
from whimbrel.services.admin.people import records

# The first file: the room that uses it.
@dataclass(frozen=True, slots=True)
class UserSample(Part):
    \"\"\"From which score on mail is a sample for a user.\"\"\"
    sample_score: float | None = value(None, minimum=0, maximum=100, help="Mail of this score is a sample.",
                                     columns=("sample threshold",))
    sample_owners: tuple[str, ...] = value((), option="sample_owner", reference="user", help="Who looks after it.")

# The second file: the table.
records.USER = records.USER.with_part(UserSample)
records.RECORDS = (records.DOMAIN, records.USER, records.ALIAS, records.GROUP)

from tests.unit.services.admin.office import CALLS, Office
office = Office(Path(sys.argv[1]))
office.do("user set", name="alice", sample_score="4.5", sample_owner=["bob@other.test"])
assert "<sample-score>4.5</sample-score>" in office.users
assert office.users.count('version="1.1"') == 1
alice = office.do("user show", name="alice")
assert (alice.sample_score, alice.sample_owners) == ("4.5", ("bob@other.test",))
import asyncio
account = asyncio.run(office.context().directory.account("alice@example.org"))
assert account.part(UserSample) == UserSample(4.5, ("bob@other.test",))
from whimbrel.services.admin.calls import CallError
for bad in ("-1", "101", "much"):
    try:
        office.do("user set", name="alice", sample_score=bad)
    except CallError as error:
        assert "sample-score" in error.text, error.text
    else:
        raise AssertionError(bad)
office.do("user import", file="address,Sample threshold\\nanna@example.org,7\\n")
assert "anna@example.org,,,none,0,7,\\n" in office.do("user export").text + "\\n", office.do("user export").text
office.do("user set", name="alice", sample_score="")
assert office.do("user show", name="alice").sample_score == ""

from whimbrel.app.cli.commands import command
help = {option.opts[0]: option for option in command(CALLS["user set"], "set").params}
assert help["--sample-score"].help == "Mail of this score is a sample."
assert CALLS["user set"].parameters[-1].known == "user"  # Completed with names of users.
from whimbrel.app import docs
assert "Mail of this score is a sample." in docs.settings_page()
assert "--sample-owner" in docs.files()["commands.md"]
"""


def test_one_more_setting_of_a_user_touches_two_files(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[4]
    done = subprocess.run(
        [sys.executable, "-c", ONE_MORE, str(tmp_path / "office")], capture_output=True, text=True, cwd=root,
        env={"PYTHONPATH": f"{root / 'src'}:{root}", "PATH": "/usr/bin:/bin"}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("record", [DOMAIN, USER, ALIAS, GROUP], ids=lambda record: record.kind)
@pytest.mark.parametrize("verb", ["add", "set"])
def test_every_field_that_may_be_set_is_an_option_with_its_help(record: RecordType, verb: str) -> None:
    parameters = {parameter.name: parameter for parameter in CALLS[f"{record.kind} {verb}"].parameters}
    for field in options(record):
        parameter = parameters[field.parameter]
        if field.parameter != "to" or verb != "add":
            assert not parameter.required and parameter.help.startswith(field.declared.help)
        assert parameter.many is field.many


def test_what_has_a_call_of_its_own_is_no_option_of_set() -> None:
    names = {parameter.name for parameter in CALLS["user set"].parameters}
    assert not names & {"password", "rights", "enabled", "grant", "password_keys"}


def test_what_a_person_may_change_alone_is_what_is_declared_so() -> None:
    own = CALLS["user set"].own
    assert own is not None and own.fields == own_options(USER)
    assert {"forward_to", "keep_copy"} <= set(own.fields) and "full_name" not in own.fields
    assert all(field.declared.changed_by is not ChangedBy.OWNER for field in DOMAIN.fields)
