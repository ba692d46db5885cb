"""Writing sections into XML: only what differs from the default; comments and order in the file survive a change."""

from typing import Any, Final

from lxml import etree

from whimbrel.backends.config import text
from whimbrel.backends.config.xml import FORMAT, SPACE, version_of
from whimbrel.core.settings import Section, xml_name

VERSION: Final = f"{FORMAT[0]}.{FORMAT[1]}"
_INDENT: Final = "  "


def build(section: Section, depth: int = 0) -> etree._Element:
    """A new element with all that differs from the default; `depth` is how far it stands indented."""
    element = etree.Element(section.tag)
    if section.key:
        element.set(xml_name(section.key), text.written(getattr(section, section.key)))
    apply(element, section, None, depth)
    return element


def new_file(kind: type[Section]) -> etree._Element:
    """The root element of an empty file."""
    return etree.Element(kind.tag, {"version": VERSION})


def raise_version(root: etree._Element) -> None:
    """A file that we write is of our minor version, unless a newer release wrote it."""
    if version_of(root.get("version", "")) < FORMAT:
        root.set("version", VERSION)


def render(root: etree._Element) -> bytes:
    """The whole file: declaration, what stands around the root, and the root."""
    before: list[str] = []
    after: list[str] = []
    node = root.getprevious()
    while node is not None:
        before.insert(0, etree.tostring(node, encoding="unicode", with_tail=False))
        node = node.getprevious()
    node = root.getnext()
    while node is not None:
        after.append(etree.tostring(node, encoding="unicode", with_tail=False))
        node = node.getnext()
    body = etree.tostring(root, encoding="unicode", with_tail=False)
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', *before, body, *after, ""]).encode()


def fragment(element: etree._Element) -> bytes:
    """One element without what follows it."""
    return etree.tostring(element, encoding="unicode", with_tail=False).encode()


def value_fragment(name: str, value: str) -> bytes:
    """One setting's element."""
    element = etree.Element(name)
    _put(element, value)
    return fragment(element)


def apply(element: etree._Element, new: Section, old: Section | None, depth: int = 0) -> None:
    """Makes `element`, which says `old` (None: only defaults), say `new`."""
    kind = type(new)
    for name, field in kind.elements().items():
        info = kind.model_fields[field]
        value = getattr(new, field)
        if old is None:
            if not info.is_required() and value == info.default:
                continue
            before = None if info.is_required() else info.default
        else:
            before = getattr(old, field)
            if before == value:
                continue
        default = not info.is_required() and value == info.default
        shape = text.shape(kind, field)
        present = [child for child in element if child.tag == name]
        if shape.section and not shape.many:
            _inner(element, name, present, value, before, kind, depth)
        elif shape.section:
            _sections(element, name, present, value, before or (), kind, depth, default)
        elif shape.many:
            _values(element, name, present, () if default else value, kind, depth, empty=not default and not value)
        elif default:
            for child in present:
                _remove(element, child)
        else:
            child = present[0] if present else _insert(element, etree.Element(name), kind, depth)
            _put(child, text.written(value))


def _inner(
    element: etree._Element,
    name: str,
    present: list[etree._Element],
    value: Section,
    before: Section | None,
    kind: type[Section],
    depth: int,
) -> None:
    child = present[0] if present else _insert(element, etree.Element(name), kind, depth)
    apply(child, value, before if present else None, depth + 1)
    if not len(child):
        _remove(element, child)


def _sections(
    element: etree._Element,
    name: str,
    present: list[etree._Element],
    value: tuple[Section, ...],
    before: tuple[Section, ...],
    kind: type[Section],
    depth: int,
    default: bool,
) -> None:
    if default:
        for child in present:
            _remove(element, child)
        return
    if len(present) != len(before):  # The file had none: the former value was the default.
        for child in present:
            _remove(element, child)
        present, before = [], ()
    keyed: dict[Any, tuple[etree._Element, Section]] = {}
    for index, (child, section) in enumerate(zip(present, before, strict=True)):
        keyed[getattr(section, section.key) if section.key else index] = (child, section)
    wanted = []
    for index, section in enumerate(value):
        known = keyed.pop(getattr(section, section.key) if section.key else index, None)
        if known:
            apply(known[0], section, known[1], depth + 1)
            wanted.append(known[0])
        else:
            wanted.append(build(section, depth + 1))
    for child, _ in keyed.values():
        _remove(element, child)
    kept = [child for child in element if child.tag == name]
    if kept != wanted[: len(kept)]:
        for child in kept:  # Another order: all are put in anew.
            _remove(element, child)
    for child in wanted:
        if child.getparent() is None:
            _insert(element, child, kind, depth)
    if not wanted:
        _insert(element, etree.Element(name), kind, depth)


def _values(
    element: etree._Element,
    name: str,
    present: list[etree._Element],
    value: tuple[Any, ...],
    kind: type[Section],
    depth: int,
    *,
    empty: bool,
) -> None:
    """The elements there are keep their place, and what is remarked beside them."""
    wanted = [text.written(item) for item in value] if not empty else [""]
    left = [child for child in present if (child.text or "").strip() not in wanted]
    have = [(child.text or "").strip() for child in present if child not in left]
    if have == [item for item in wanted if item in have] and len(set(wanted)) == len(wanted):
        # Same order, some gone, some new at the end or instead of those that are gone.
        new = [item for item in wanted if item not in have]
        tail_only = wanted[: len(have)] == have
        if tail_only or not new:
            for child in left:
                _remove(element, child)
            for item in new:
                _put(_insert(element, etree.Element(name), kind, depth), item)
            return
    for child, item in zip(present, wanted, strict=False):
        _put(child, item)
    for child in present[len(wanted) :]:
        _remove(element, child)
    for item in wanted[len(present) :]:
        _put(_insert(element, etree.Element(name), kind, depth), item)


def _put(child: etree._Element, value: str) -> None:
    for part in child:
        part.tail = None
    child.text = value or None
    if value != value.strip():
        child.set(SPACE, "preserve")
    elif SPACE in child.attrib:
        del child.attrib[SPACE]


def _insert(parent: etree._Element, child: etree._Element, kind: type[Section], depth: int) -> etree._Element:
    """In the order of declaration: after the last element that is declared before it, or is of its name."""
    order = list(kind.elements())
    rank = order.index(str(child.tag))
    at = 0
    for index, sibling in enumerate(parent):
        if isinstance(sibling.tag, str) and sibling.tag in order and order.index(str(sibling.tag)) <= rank:
            at = index + 1
            # A remark on the same line belongs to the element before it.
            while at < len(parent) and not isinstance(parent[at].tag, str) and "\n" not in (parent[at - 1].tail or ""):
                at += 1
    inside, outside = "\n" + _INDENT * (depth + 1), "\n" + _INDENT * depth
    if not len(parent):
        parent.text, child.tail = inside, outside
    elif at == 0:
        child.tail = parent.text if "\n" in (parent.text or "") else inside
        parent.text = parent.text if "\n" in (parent.text or "") else inside
    else:
        before = parent[at - 1]
        child.tail, before.tail = before.tail, inside
        if at == len(parent) and "\n" not in (child.tail or ""):
            child.tail = outside
    parent.insert(at, child)
    return child


def _remove(parent: etree._Element, child: etree._Element) -> None:
    before, after = child.getprevious(), child.tail
    # lxml drops the tail with the element. A remark after it on its line keeps its own line.
    if after is not None and "\n" in after:
        if before is not None:
            before.tail = after
        else:
            parent.text = after
    child.tail = None
    parent.remove(child)
    if not len(parent) and not (parent.text or "").strip():
        parent.text = None
