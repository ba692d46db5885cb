"""Settings that stood elsewhere in files of former releases: moved to their new place in the tree, before it is read.

The file itself is not touched for that; the next change that is written has it in the new place alone.
"""

from typing import Any

from lxml import etree

from whimbrel.backends.config import paths, text
from whimbrel.core.settings import Moved, Section, xml_name

_INDENT = "  "
_OFF = frozenset({"no", "false", "off", "0"})


def move(root: etree._Element, kind: type[Section]) -> None:
    """Does what `kind.moved` declares, to the root element of a file of that kind. What is no plain value stays where
    it is, and the reader complains of it."""
    for each in kind.moved:
        *way, name = each.path.split("/")
        holder: etree._Element | None = root
        for step in way:
            holder = holder.find(step) if holder is not None else None
        if holder is None:
            continue
        for old in holder.findall(name):
            if len(old) or old.attrib:
                continue
            value = (old.text or "").strip()
            if value:
                _add(root, kind, each, value, _line(old))
            _take_out(old)
        if not len(holder) and holder is not root:
            _take_out(holder)


def _add(root: etree._Element, kind: type[Section], moved: Moved, value: str, line: int) -> None:
    """Into a list: where it was empty and so meant that of `beside`, with what stands there."""
    steps = paths.steps(kind, moved.to)
    element = root
    for depth, step in enumerate(steps[:-1], 1):
        element = _entered(element, step, depth, line)
    name = moved.to.rpartition("/")[2]
    switch = element.find(moved.switch) if moved.switch else None
    off = switch is not None and (switch.text or "").strip().lower() in _OFF
    if off and switch is not None:
        _take_out(switch)
    present = [(each.text or "").strip() for each in element.findall(name)]
    wanted = [value] if any(present) or off else [*_values(root, moved.beside), value]
    for each in element.findall(name):
        if not (each.text or "").strip():
            _take_out(each)
    for each_value in wanted:
        if each_value not in present:
            made = etree.Element(name)
            made.text = each_value
            _append(element, made, len(steps), line)
            present.append(each_value)


def _entered(element: etree._Element, step: paths.Step, depth: int, line: int) -> etree._Element:
    """The section of a step, made where it is not there."""
    shape = text.shape(step.kind, step.field)
    assert shape.section is not None
    name = next(name for name, field in step.kind.elements().items() if field == step.field)
    key = xml_name(shape.section.key) if step.key else ""
    for child in element.findall(name):
        if not key or (child.get(key) or "").strip() == step.key:
            return child
    made = etree.Element(name, {key: step.key} if key else {})
    _append(element, made, depth, line)
    return made


def _line(element: etree._Element) -> int:
    line: Any = element.sourceline
    return int(line or 0)


def _values(root: etree._Element, path: str) -> list[str]:
    elements = root.findall(path) if path else []
    return [value for each in elements if (value := (each.text or "").strip())]


def _append(parent: etree._Element, child: etree._Element, depth: int, line: int) -> None:
    """As the last one, indented; `line` is where a fault in it is reported."""
    inner, outer = f"\n{_INDENT * depth}", f"\n{_INDENT * (depth - 1)}"
    if len(parent):
        parent[-1].tail = inner
    else:
        parent.text = inner
    child.tail = outer
    at: Any = child
    at.sourceline = line
    parent.append(child)


def _take_out(element: etree._Element) -> None:
    """Without what stood between it and the next one."""
    parent, before = element.getparent(), element.getprevious()
    assert parent is not None
    if before is not None:
        before.tail = element.tail
    else:
        parent.text = element.tail
    parent.remove(element)
