"""Writing: what is written is read back as it was meant; remarks and order survive."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.backends.config.samples import Root, Rule, Service, Services, Smtp, Zone
from whimbrel.backends.config import tree, xml
from whimbrel.core.values import Duration, HostPort, Secret, Size


def read(content: bytes) -> Root:
    return xml.read(xml.parse(content, "f"), Root, "f")[0]


def changed(content: bytes, new: Root) -> bytes:
    element = xml.parse(content, "f")
    tree.apply(element, new, read(content))
    return tree.render(element)


def fresh(new: Root) -> bytes:
    element = tree.new_file(Root)
    tree.apply(element, new, None)
    return tree.render(element)


def test_only_what_differs_from_the_default_is_written() -> None:
    new = Root(smtp=Smtp(max_message_size=Size("80M")), zones=(Zone(name="x"), Zone(name="y", score=1.5)))
    assert fresh(new).decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<mailserver version="1.1">\n'
        "  <smtp>\n"
        "    <max-message-size>80M</max-message-size>\n"
        "  </smtp>\n"
        '  <zone name="x"/>\n'
        '  <zone name="y">\n'
        "    <score>1.5</score>\n"
        "  </zone>\n"
        "</mailserver>\n"
    )


FILE = b"""<?xml version="1.0" encoding="UTF-8"?>
<!-- Our server. -->
<mailserver version="1.0">
  <!-- Zones first: we like it so. -->
  <zone name="b">
    <!-- slow -->
    <score>2</score> <!-- was 3 -->
  </zone>
  <zone name="a"/>
  <smtp>
    <!-- Limits -->
    <count>7</count> <!-- seven -->
    <name>one</name>  <!-- first -->
    <name>two</name>
  </smtp>
</mailserver>
<!-- end -->
"""


def test_nothing_changed_is_the_same_file() -> None:
    assert changed(FILE, read(FILE)) == FILE


def test_remarks_and_order_survive_a_change() -> None:
    old = read(FILE)
    zones = (old.zones[0].model_copy(update={"score": 4.0}), old.zones[1])
    smtp = old.smtp.model_copy(update={"tls": "starttls", "names": ("one", "two", "three")})
    assert (
        changed(FILE, old.model_copy(update={"zones": zones, "smtp": smtp})).decode()
        == """\
<?xml version="1.0" encoding="UTF-8"?>
<!-- Our server. -->
<mailserver version="1.0">
  <!-- Zones first: we like it so. -->
  <zone name="b">
    <!-- slow -->
    <score>4</score> <!-- was 3 -->
  </zone>
  <zone name="a"/>
  <smtp>
    <tls>starttls</tls>
    <!-- Limits -->
    <count>7</count> <!-- seven -->
    <name>one</name>  <!-- first -->
    <name>two</name>
    <name>three</name>
  </smtp>
</mailserver>
<!-- end -->
"""
    )


def test_a_default_takes_its_element_away_and_keeps_the_remark() -> None:
    old = read(FILE)
    text = changed(FILE, old.model_copy(update={"smtp": old.smtp.model_copy(update={"count": 5})})).decode()
    assert "<count>" not in text
    assert "<!-- seven -->" in text
    assert "<!-- Limits -->" in text


def test_a_section_without_anything_goes() -> None:
    text = changed(b"<mailserver>\n  <smtp>\n    <count>7</count>\n  </smtp>\n</mailserver>", Root()).decode()
    assert text == '<?xml version="1.0" encoding="UTF-8"?>\n<mailserver/>\n'


def test_a_list_that_is_empty_against_its_default_is_written_so() -> None:
    new = Root(services=Services(imap=Service(listen=())))
    assert b"<listen/>" in fresh(new)
    assert read(fresh(new)) == new


def test_markup_and_space_in_values_are_values() -> None:
    new = Root(smtp=Smtp(greeting=" <b>&\"'</b>\n]]> ", password=Secret("<&>"), names=("a<", "&b")))
    assert read(fresh(new)) == new


WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"), max_size=8
)
ROOTS = st.builds(
    Root,
    smtp=st.builds(
        Smtp,
        max_message_size=st.integers(1 << 20, 1 << 40).map(Size),
        wait=st.integers(0, 10**6).map(Duration),
        tls=st.sampled_from(["none", "starttls", "implicit"]),
        count=st.integers(1, 10),
        greeting=WORDS,
        password=WORDS.map(Secret),
        names=st.lists(WORDS.map(str.strip).filter(bool), max_size=4).map(tuple),
    ),
    services=st.builds(
        Services,
        imap=st.builds(
            Service,
            enabled=st.booleans(),
            listen=st.lists(st.integers(1, 65535).map(lambda n: HostPort(f"*:{n}")), max_size=3).map(tuple),
        ),
    ),
    zones=st.lists(
        st.builds(Zone, name=st.sampled_from("abcdef"), score=st.floats(0, 100, allow_nan=False)),
        max_size=4,
        unique_by=lambda zone: zone.name,
    ).map(tuple),
    rules=st.lists(st.builds(Rule, text=WORDS), max_size=3).map(tuple),
)


@given(ROOTS)
@settings(max_examples=150, deadline=None)
def test_what_is_written_is_read_back(new: Root) -> None:
    assert read(fresh(new)) == new


@given(ROOTS, ROOTS, ROOTS)
@settings(max_examples=150, deadline=None)
def test_any_change_of_any_file_says_what_was_meant_and_can_be_taken_back(one: Root, two: Root, three: Root) -> None:
    content = fresh(one)
    for new in (two, three, one):
        content = changed(content, new)
        assert read(content) == new
    again = changed(changed(FILE, two), read(FILE))
    assert b"<!-- Our server. -->" in again
    assert b"<!-- Limits -->" in again
    assert b"<!-- end -->" in again
