"""Names beyond ASCII are those of the registries: IDNA2008 behind the mapping of UTS 46. RFC 5891, RFC 5893"""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whimbrel.core.address import Address, Domain, as_recorded, folded


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("straße.de", "xn--strae-oqa.de"),  # IDNA2003: strasse.de, which is another's.
        ("STRAßE.de", "xn--strae-oqa.de"),
        ("STRASSE.de", "strasse.de"),
        ("βόλος.com", "xn--nxasmm1c.com"),  # Its final sigma stays: xn--nxasmq6b.com is another.
        ("ΒΌΛΟΣ.com", "xn--nxasmq6b.com"),
        ("क्\u200dष.in", "xn--11b2ezcw70k.in"),  # A joiner where the script needs it.
        ("bu\u0308cher.de", "xn--bcher-kva.de"),  # Decomposed, as some systems write.
        ("BÜCHER.DE", "xn--bcher-kva.de"),
        ("日本。jp。", "xn--wgv71a.jp"),
        ("ｅｘａｍｐｌｅ.org", "example.org"),
        ("ＸＮ－－strae-oqa.de", "xn--strae-oqa.de"),
        ("xn--strae-oqa.straße.de", "xn--strae-oqa.xn--strae-oqa.de"),
        ("a_b.straße.de", "a_b.xn--strae-oqa.de"),
        ("a1.אב", "a1.xn--4dbc"),
        ("xn--i-7iq.ws", "xn--i-7iq.ws"),  # An emoji that was registered once: RFC 5891 5.4 lets A-labels pass.
    ],
)
def test_a_name_is_that_of_its_owner(written: str, name: str) -> None:
    assert Domain(written) == name
    assert Address.parse(f"a@{written}").key == f"a@{name}"


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("i❤.ws", "U+2764 is not allowed there; if there is such a domain, write its xn-- form"),
        ("a\u200db.ß", "U+200D is not allowed"),
        ("1a.אב", "Bidi rule"),
        ("אa.ß", "Bidi rule"),
        ("xn--abc-.ß", "A-label"),
        ("xn--\u00df.de", ""),
        ("xn--i-7iq.ß", "U+2764"),
        ("xn---bbk.ß", "A-label"),
        ("xn--99999999999.ß", "A-label"),
        ("ß" * 60 + ".de", "too long"),
        ("ß." * 100 + "de", ""),
        ("a..ß", ""),
        ("-ß.de", "hyphen"),
        ("ab--ß.de", "hyphen"),
        ("\u0301ß.de", "combin"),
        ("℀.de", ""),
        ("a\u00a0b.de", ""),
        ("\u00ad", ""),
        ("ß.\ud800", "U+D800"),
        ("ß" * 100_000, "too long"),
    ],
)
def test_what_no_registry_gives_out_is_refused_with_the_reason(written: str, why: str) -> None:
    with pytest.raises(ValueError, match="is not a domain name") as refused:
        Domain(written)
    assert why in str(refused.value)


@given(
    st.text(max_size=80) | st.lists(st.sampled_from(["xn--", "ß", "a", "-", ".", "א", "1", "\u200d", "_"])).map("".join)
)
def test_any_text_is_a_name_of_ascii_or_refused(text: str) -> None:
    try:
        name = Domain(text)
    except ValueError:
        return
    assert name.isascii() and name == name.lower() and Domain(str(name)) == name


def test_names_of_ascii_load_no_tables() -> None:
    code = (
        "import sys; from whimbrel.core.address import Address, Domain, folded; "
        "Domain('Example.org'); Domain('xn--strae-oqa.de'); Address.parse('jörg@example.org'); folded('*.a.org'); "
        "assert 'idna' not in sys.modules; Domain('straße.de'); assert 'idna' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)})


@pytest.mark.parametrize(
    ("written", "compared"),
    [
        ("Straße.de", "xn--strae-oqa.de"),
        ("*.Straße.de", "*.xn--strae-oqa.de"),
        ("Müller@straße.de", "müller@xn--strae-oqa.de"),
        ("Not An Address", "not an address"),
        ("", ""),
    ],
)
def test_a_pattern_is_compared_as_the_addresses_are(written: str, compared: str) -> None:
    assert folded(written) == compared


@pytest.mark.parametrize(
    ("sought", "recorded"),
    [
        ("müller@straße.de", "müller@xn--strae-oqa.de"),
        ("@straße.de", "@xn--strae-oqa.de"),
        ("straße.de", "xn--strae-oqa.de"),
        ("müller", "müller"),
        ("müller@", "müller@"),
        ("ann@example.org", "ann@example.org"),
        ("a@i❤.ws", "a@i❤.ws"),
    ],
)
def test_an_address_is_looked_for_as_it_is_recorded(sought: str, recorded: str) -> None:
    assert as_recorded(sought) == recorded
