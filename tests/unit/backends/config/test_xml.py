"""Reading: every mistake is told with its line; hostile files are refused before they cost anything."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.backends.config.samples import Root
from whimbrel.backends.config import tree, xml
from whimbrel.core.config import ConfigError, Fault


def read(text: str | bytes) -> Root:
    content = text.encode() if isinstance(text, str) else text
    return xml.read(xml.parse(content, "mailserver.cfg"), Root, "mailserver.cfg")[0]


def faults(text: str | bytes) -> list[tuple[int, str, str]]:
    with pytest.raises(ConfigError) as caught:
        read(text)
    return [(fault.line, fault.path, fault.text) for fault in caught.value.faults]


def test_an_empty_file_means_all_defaults() -> None:
    assert read("<mailserver/>") == Root()


def test_every_shape_is_read() -> None:
    root = read(
        """<mailserver version="1.0">
  <smtp><max-message-size>80M</max-message-size><name>a</name><name>b</name><password>s3cret</password></smtp>
  <services><imap><enabled>no</enabled><listen>127.0.0.1:1143</listen><listen>[::1]:143</listen></imap></services>
  <zone name="x.example"><score>1.5</score></zone>
  <rule><text>one</text></rule><rule/>
</mailserver>"""
    )
    assert root.smtp.max_message_size == 80 << 20
    assert root.smtp.names == ("a", "b")
    assert root.smtp.password.reveal() == "s3cret"
    assert root.services.imap.enabled is False
    assert root.services.imap.listen == ("127.0.0.1:1143", "[::1]:143")
    assert (root.zones[0].name, root.zones[0].score) == ("x.example", 1.5)
    assert [rule.text for rule in root.rules] == ["one", ""]


@pytest.mark.parametrize("word, value", [("yes", True), ("true", True), ("1", True), ("no", False), ("FALSE", False)])
def test_booleans_are_yes_and_no_and_what_people_write_for_them(word: str, value: bool) -> None:
    text = f"<mailserver><services><imap><enabled>{word}</enabled></imap></services></mailserver>"
    assert read(text).services.imap.enabled is value


def test_one_empty_element_is_the_empty_list() -> None:
    assert read("<mailserver><services><imap><listen/></imap></services></mailserver>").services.imap.listen == ()


def test_all_mistakes_are_told_at_once_each_with_its_line() -> None:
    found = faults(
        """<mailserver version="1.0">
  <smtp>
    <max-mesage-size>80M</max-mesage-size>
    <count>eleven</count>
    <tls>startls</tls>
    <wait>
      soon
    </wait>
  </smtp>
  <services>
    <imap enabled="no">
      <listen>*:143</listen>
      <listen>nowhere</listen>
      <enabled>maybe</enabled>
    </imap>
    <hostname>x</hostname>
  </services>
  <zone/>
</mailserver>
"""
    )
    assert found == [
        (3, "smtp/max-mesage-size", "unknown; did you mean 'max-message-size'?"),
        (4, "smtp/count", "'eleven' is not a whole number"),
        (5, "smtp/tls", "'startls' is not one of 'none', 'starttls' or 'implicit'; did you mean 'starttls'?"),
        (6, "smtp/wait", "'soon' is not a duration, such as 4h"),
        (11, "services/imap", "unknown attribute 'enabled'; write it as an element"),
        (13, "services/imap/listen", "'nowhere' is not address:port, such as 127.0.0.1:25 or [::]:25"),
        (14, "services/imap/enabled", "'maybe' is neither yes nor no"),
        (16, "services/hostname", "unknown; it belongs in smtp"),
        (18, "zone[]", "name is missing"),
    ]


@pytest.mark.parametrize(
    "inside, line, words",
    [
        ("<smtp/>\n<smtp/>", 2, "stands twice; first in line 1"),
        ("<smtp><count>1</count>\n<count>1</count></smtp>", 2, "stands twice"),
        ('<zone name="a"/>\n<zone name="a"/>', 2, "the name 'a' stands twice"),
        ("<smtp>80M</smtp>", 1, "text is not allowed here"),
        ("<smtp><count><b>1</b></count></smtp>", 1, "a value is meant"),
        ('<smtp><count unit="x">1</count></smtp>', 1, "unknown attribute 'unit'"),
        ("<smtp><count>0</count></smtp>", 1, "below the minimum of 1"),
        ("<smtp><max-message-size>10K</max-message-size></smtp>", 1, "below the minimum of 1M"),
        ("<smtp><hostname>../../x</hostname></smtp>", 1, "is not a domain name"),
        ('<x:smtp xmlns:x="urn:x"/>', 1, "unknown"),
    ],
)
def test_a_mistake_is_refused(inside: str, line: int, words: str) -> None:
    found = faults(f"<mailserver>{inside}</mailserver>")
    assert len(found) == 1
    assert found[0][0] == line
    assert words in found[0][2]


def test_a_secret_is_never_in_a_fault() -> None:
    with pytest.raises(ConfigError) as caught:
        read("<mailserver><smtp><password>hunter2</password><password>hunter3</password></smtp></mailserver>")
    assert "hunter" not in str(caught.value)


BOMB = b"""<?xml version="1.0"?>
<!DOCTYPE l [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>
<mailserver>&c;</mailserver>"""


@pytest.mark.parametrize(
    "content, words",
    [
        (BOMB, "DOCTYPE"),
        (b'<!DOCTYPE m SYSTEM "file:///etc/passwd"><mailserver/>', "DOCTYPE"),
        (b"<!-- <a> -->\n<?x y?><!DOCTYPE m [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><mailserver>&e;</mailserver>",
         "DOCTYPE"),
        (b"<mailserver>&unknown;</mailserver>", "not well-formed"),
        (b"<mailserver>\x00</mailserver>", "NUL"),
        (b"<mailserver>\xff\xfe</mailserver>", "UTF-8"),
        ("<mailserver/>".encode("utf-16"), "UTF-8"),
        ("<?xml version='1.0' encoding='utf-16'?><mailserver/>".encode("utf-16-be"), "NUL"),
        (b'<?xml version="1.0" encoding="iso-8859-1"?><mailserver/>', "only the encoding UTF-8"),
        (b'<?xml version="1.0" encoding="UTF-7"?><mailserver/>', "only the encoding UTF-8"),
        (b"<mailserver>" + b"<a>" * 5000 + b"</a>" * 5000 + b"</mailserver>", "not well-formed"),
        (b"", "not well-formed"),
        (b"<mailserver>", "not well-formed"),
        (b"<users/>", "begins with <users>"),
        (b"<mailserver version='x'/>", "version is written like 1.0"),
        (b"<mailserver vresion='1.0'/>", "did you mean 'version'?"),
    ],
)  # fmt: skip
def test_hostile_files_are_refused(content: bytes, words: str) -> None:
    assert words in faults(content)[0][2]


def test_a_file_over_the_limit_is_refused_unread() -> None:
    with pytest.raises(ConfigError, match="larger than"):
        xml.parse(b"<mailserver>" + b" " * 100, "f", limit=50)


def test_only_a_newer_major_version_is_refused_and_says_who_wrote_it() -> None:
    text = '<mailserver version="2.0" release="9.1"/>'
    assert faults(text)[0][2] == "format 2.0 was written by release 9.1; this one reads up to 1.x"


def test_unknown_names_of_a_newer_minor_version_are_kept_and_told() -> None:
    text = b'<mailserver version="1.7"><smtp><later>x</later><count>7</count></smtp></mailserver>'
    element = xml.parse(text, "f")
    root, warnings = xml.read(element, Root, "f")
    assert root.smtp.count == 7
    assert warnings == (Fault("f", 1, "smtp/later", "unknown here, kept as it is"),)
    tree.apply(element, Root(), root)
    assert b"<later>x</later>" in tree.render(element)


def test_too_many_mistakes_are_bounded() -> None:
    assert len(faults("<mailserver>" + "<x/>" * 5000 + "</mailserver>")) == xml.MAX_FAULTS


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_no_bytes_raise_anything_but_a_config_error(noise: bytes) -> None:
    for content in (noise, b"<mailserver>" + noise + b"</mailserver>", b"<mailserver><smtp>" + noise):
        try:
            read(content)
        except ConfigError as error:
            assert error.faults


PIECES = st.lists(
    st.sampled_from(
        ["<smtp>", "</smtp>", "<count>", "</count>", "5", "<!-- x -->", "<zone name='a'>", "</zone>", "<score>",
         "&amp;",
         "</score>", "<rule/>", "<services>", "</services>", "<imap>", "</imap>", "<listen>*:1", "</listen>", "x",
         "<?p?>"]
    ), max_size=12,
).map("".join)  # fmt: skip


@given(PIECES)
@settings(max_examples=300, deadline=None)
def test_no_markup_raises_anything_but_a_config_error(inside: str) -> None:
    try:
        read(f"<mailserver>{inside}</mailserver>")
    except ConfigError as error:
        assert all(fault.line for fault in error.faults)
