"""A file that breaks a rule is refused with its line; hostile files are refused before they cost anything."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.backends.directory.files import FILE
from whimbrel.backends.directory import build, scan
from whimbrel.backends.directory.editor import DirectoryFile
from whimbrel.backends.directory.records import schema_of
from whimbrel.core.config import ConfigError
from whimbrel.services.admin.people.records import RECORDS


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path


def faults(folder: Path, text: str | bytes) -> list[tuple[int, str]]:
    (folder / "users.cfg").write_bytes(text.encode() if isinstance(text, str) else text)
    editor = DirectoryFile(folder / "users.cfg", folder / "users.idx", records=RECORDS)
    try:
        with pytest.raises(ConfigError) as caught:
            editor.open()
    finally:
        editor.close()
    return [(fault.line, str(fault)) for fault in caught.value.faults]


def people(inside: str, more: str = "") -> str:
    return (
        f'<users version="1.0">\n<domain name="a.example"><primary>yes</primary>\n{inside}\n</domain>\n{more}</users>'
    )


@pytest.mark.parametrize(
    "text, line, words",
    [
        (people('<user name="x"/>\n<user name="X"/>'), 4, "'X' is already a name of user 'x' in line 3"),
        (people('<user name="x"><alias>y</alias></user>\n<alias name="Y"><to>x</to></alias>'), 4,
         "'Y' is already a name of user 'x' in line 3"),
        (people('<user name="x"><alias>y</alias></user>\n<user name="z"><alias>Y</alias></user>'), 4, "'Y' is already"),
        (people('<group name="g"/>\n<user name="g"/>'), 4, "'g' is already a name of group 'g' in line 3"),
        (people('<alias name="*"><to>x</to></alias>\n<alias name="*"><to>y</to></alias>'), 4,
         "already a name of alias"),
        (people('<user name="ß"/>\n<user name="SS"/>'), 4, "already"),
        (people('<user name="x"><alias>x</alias></user>'), 3, "already"),
        (people("", '<domain name="b.example"><primary>yes</primary></domain>'), 0,
         "exactly one domain is primary, but these are: a.example, b.example"),
        ('<users><domain name="a.example"/></users>', 0, "exactly one domain is primary, but none is"),
        (people("", '<domain name="A.example"/>'), 5,
         "'a.example' is already a name of the domain 'a.example' in line 2"),
        (people("<domain-alias>b.example</domain-alias>", '<domain name="b.example"/>'), 5, "'b.example' is already"),
        (people("<domain-alias>a.example</domain-alias>"), 2, "stands twice among the domain's names"),
        (people('<group name="a"><member>b</member></group><group name="b"><member>c@A.example</member></group>'
                '<alias name="c"><to>a</to></alias>'), 0,
         "leads back to itself: a@a.example -> b@a.example -> c@a.example -> a@a.example"),
        (people('<group name="a"><member>A</member></group>'), 0, "leads back to itself: a@a.example -> a@a.example"),
        (people("<domain-alias>z.example</domain-alias><group name='a'><member>a@z.example</member></group>"), 0,
         "leads back to itself"),
        (people('<alias name="a"/>'), 3, "an alias needs at least one 'to'"),
        (people('<usr name="a"/>'), 3, "unknown; did you mean 'user'?"),
        (people('\n<user name="a">\n<qouta>5</qouta></user>'), 5, "users.cfg:5: domain[a.example]/user[a]/qouta"),
        (people("<user/>"), 3, "name is missing"),
        (people('<user name="a"><password>hunter2</password></user>'), 3, "a verifier is meant"),
        (people('<user name="a"><password>{SSHA}qUqP5cyxm6Y=</password></user>'), 3, "{SSHA} has 20 octets"),
        (people('<user name="a">\n<password>$2b$31$CCCCC</password></user>'), 4, "bcrypt is $2b$"),
        (people('<user name="a"><password-keys>secret</password-keys></user>'), 3, "keys as the server writes"),
        (people('<user name="a"><grant>domain example..org</grant></user>'), 3, "is not a domain name"),
        (people('<user name="a"><rights>root</rights></user>'), 3, "'root' is not one of"),
        (people('<user name="a"><forward-to>x@</forward-to></user>'), 3, "is not a domain name"),
        (people("<primary>no</primary>"), 3, "stands twice"),
        (people("words"), 3, "text is not allowed here"),
        (people('<user name="a">words</user>'), 3, "text is not allowed here"),
        (people("", "<doman/>"), 5, "unknown; did you mean 'domain'?"),
        (people("", '<domain name="../../x"/>'), 5, "is not a domain name"),
        ("<mailserver/>", 1, "begins with <mailserver>"),
        ('<users version="2.0"/>', 1, "written by a newer release"),
    ],
)  # fmt: skip
def test_a_broken_rule_is_told_with_its_line(folder: Path, text: str, line: int, words: str) -> None:
    found = faults(folder, text)
    assert len(found) == 1, found
    assert found[0][0] == line
    assert words in found[0][1]


@pytest.mark.parametrize(
    "name",
    ["../../x", "a/b", "a\\b", ".", "..", ".a", "a.", "#msgs", "a@b", "a:b", "a b", "", "  ", "x" * 65, "ä" * 33, "*",
     "a?",
     "a&#x7f;b", "a&#x85;b", "a&#x301;", "&#xAD;&lt;", "a..b", "&quot;a&quot;", "a|b", "a,b", "(a)"],
)  # fmt: skip
def test_names_that_are_no_folder_or_address_are_refused(folder: Path, name: str) -> None:
    assert len(faults(folder, people(f'<user name="{name}"/>'))) == 1


def test_all_mistakes_are_told_at_once(folder: Path) -> None:
    found = faults(folder, people('<user name="a/b"/>\n<user name="x"><quota>y</quota></user>\n<alias name="q"/>'))
    assert [line for line, _ in found] == [3, 4, 5]


@pytest.mark.parametrize(
    "content, words",
    [
        (b'<!DOCTYPE l [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]><users>&b;</users>', "DOCTYPE"),
        (b"<!-- <u> --><!DOCTYPE u SYSTEM 'file:///etc/passwd'><users/>", "DOCTYPE"),
        (b'<users><domain name="a.example"><user name="&x;"/></domain></users>', "not well-formed"),
        (b"<users>\x00</users>", "not well-formed"),
        (b"<users>\xff</users>", "not well-formed"),
        ("<users/>".encode("utf-16"), "not well-formed"),
        (b'<?xml version="1.0" encoding="iso-8859-1"?><users/>', "UTF-8"),
        (b"<users>" + b"<a>" * 5000 + b"</a>" * 5000 + b"</users>", "nested too deeply"),
        (b"<users>", "not well-formed"),
        (b"<users></users><users/>", "not well-formed"),
        (people("<x:user xmlns:x='urn:x' name='a'/>").encode(), "unknown"),
    ],
)
def test_hostile_files_are_refused(folder: Path, content: bytes, words: str) -> None:
    assert words in faults(folder, content)[0][1]


def test_a_file_over_the_limit_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "MAX_BYTES", 100)
    with pytest.raises(ConfigError, match="larger than"):
        list(scan.scan(b"<users>" + b" " * 100, "users.cfg"))


def test_the_number_of_mistakes_told_is_bounded(folder: Path) -> None:
    assert len(faults(folder, people("<x/>" * 3000))) <= 201


def test_a_faulty_file_leaves_the_former_index_as_it_was(folder: Path) -> None:
    path = folder / "users.cfg"
    path.write_text(FILE)
    editor = DirectoryFile(path, folder / "users.idx", records=RECORDS)
    editor.open()
    path.write_text(people("<x/>"))
    for _ in range(2):
        with pytest.raises(ConfigError):
            editor.open()
    assert {str(name) for (name,) in editor._ledger.connect().execute("SELECT name FROM host")} == {
        "example.org", "example.net", "second.example", "empty.example"
    }  # fmt: skip
    editor.close()


def test_unknown_records_of_a_newer_minor_version_are_kept_and_told(folder: Path) -> None:
    text = people('<mailing-list name="l"/><user name="a"><later/></user>', "<tenant><x/></tenant>")
    (folder / "users.cfg").write_text(text.replace("1.0", "1.9"))
    editor = DirectoryFile(folder / "users.cfg", folder / "users.idx", records=RECORDS)
    editor.open()
    assert [fault.path.rpartition("/")[2] for fault in editor.warnings] == ["later", "mailing-list", "tenant"]
    editor.close()


PIECES = st.lists(
    st.sampled_from(
        ['<domain name="a.example">', "</domain>", '<user name="x">', "</user>", "<primary>yes</primary>",
         '<user name="y"/>',
         "<!-- > -->", "<![CDATA[<user>]]>", "&amp;", '<alias name=">">', "</alias>", "<to>x</to>", "\n", "<?p > ?>",
         "<", '"']
    ), max_size=10,
).map("".join)  # fmt: skip


@given(PIECES)
@settings(max_examples=300, deadline=None)
def test_no_markup_raises_anything_but_a_config_error(inside: str) -> None:
    content = f"<users>{inside}</users>".encode()
    records = build.Records(content, "users.cfg", schema_of(RECORDS))
    try:
        for item in records:
            if isinstance(item, scan.Child):
                assert content[item.start : item.start + 1] == b"<"
                assert content[item.end - 1 : item.end] == b">"
    except ConfigError as error:
        assert error.faults


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_no_bytes_raise_anything_but_a_config_error(noise: bytes) -> None:
    for content in (noise, b"<users>" + noise + b"</users>"):
        try:
            list(build.Records(content, "users.cfg", schema_of(RECORDS)))
        except ConfigError as error:
            assert error.faults
