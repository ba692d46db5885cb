"""Domain names with letters beyond ASCII, as the DNS has them: A-labels.

What people write is mapped by UTS 46 without its transitional rules and must then be valid by IDNA2008, as registries
and browsers have it. IDNA2003, the codec of the standard library, makes `strasse.de` of `straße.de`: another's domain.

Standards: RFC 5890 2.3.2.1 (A-labels, U-labels), RFC 5891 5 (look-up), RFC 5892, RFC 5893 2 (the Bidi rule), UTS 46 4
"""

import unicodedata
from typing import Final

_ACE: Final = "xn--"
_RTL: Final = frozenset({"R", "AL", "AN"})


def to_ascii(name: str) -> str:
    """`name` with its labels as A-labels, in lower case. Labels of plain ASCII are left to the caller to check.
    ValueError says what no domain can have."""
    import idna  # Here, not above: its tables are 3 MB in each process, and most never meet such a name.

    try:
        labels = [_u_label(label) for label in idna.uts46_remap(name, std3_rules=False).split(".")]
        if any(unicodedata.bidirectional(char) in _RTL for label in labels for char in label):
            # RFC 5893 2: one label from right to left, and all must obey.
            for label in filter(None, labels):
                idna.check_bidi(label, check_ltr=True)
        return ".".join(label if label.isascii() else idna.alabel(label).decode("ascii") for label in labels)
    except idna.IDNABidiError:
        raise ValueError("its letters from right to left do not obey the Bidi rule (RFC 5893)") from None
    except (idna.InvalidCodepoint, idna.InvalidCodepointContext) as error:
        # Some registries gave out names with emoji before that was forbidden: they resolve, and can be written so.
        what = "a character" if error.codepoint is None else f"U+{error.codepoint:04X}"
        raise ValueError(f"{what} is not allowed there; if there is such a domain, write its xn-- form") from None


def _u_label(label: str) -> str:
    """An A-label decoded and checked (RFC 5891 5.4), any other label as it is."""
    import idna

    return idna.ulabel(label) if label.startswith(_ACE) else label
