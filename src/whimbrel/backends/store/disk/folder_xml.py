"""`#folder.xml` and `#account.xml`: what the messages of a folder, and the folders of an account, cannot tell.

Both are written whole and renamed into place; the barrier of the batch makes them durable.

Standards: RFC 5464 (annotations)
"""

import base64
import binascii
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from whimbrel.backends.disk.irregular import not_a_file
from whimbrel.backends.store.disk.database import passing
from whimbrel.core.mailbox import MailboxId, SpecialUse

_MAILBOX = re.compile(r"F[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class FolderXml:
    """As it stands in the file; what is missing or malformed there is empty."""

    name: str
    mailbox: MailboxId
    uid_validity: int
    special_use: SpecialUse | None
    selectable: bool


def write_folder_xml(
    folder: Path,
    *,
    name: str,
    mailbox: MailboxId,
    uid_validity: int,
    special_use: SpecialUse | None,
    selectable: bool,
    annotations: Mapping[str, bytes] | None = None,
) -> None:
    """`annotations`: those the file has already, unless given."""
    path = folder / "#folder.xml"
    root = etree.Element(
        "folder",
        {
            "version": "1.0",
            "name": name,
            "mailbox-id": mailbox,
            "uid-validity": str(uid_validity),
            "special-use": special_use.value if special_use else "",
            "selectable": "yes" if selectable else "no",
        },
    )
    _add_annotations(root, _annotations(_parse(path)) if annotations is None else annotations)
    _write(path, root)


def read_folder_xml(folder: Path) -> FolderXml | None:
    root = _parse(folder / "#folder.xml")
    if root is None:
        return None
    mailbox, use = root.get("mailbox-id") or "", root.get("special-use") or ""
    validity = root.get("uid-validity") or ""
    return FolderXml(
        root.get("name") or "",
        MailboxId(mailbox if _MAILBOX.fullmatch(mailbox) else ""),
        int(validity) if validity.isascii() and validity.isdigit() and 0 < int(validity[:12]) < 1 << 32 else 0,
        SpecialUse(use) if use in set(SpecialUse) else None,
        root.get("selectable") != "no",
    )


def folder_annotations(folder: Path) -> dict[str, bytes]:
    return _annotations(_parse(folder / "#folder.xml"))


def write_account_xml(
    root_folder: Path, subscriptions: Iterable[str], annotations: Mapping[str, bytes] | None = None
) -> None:
    """`annotations`: those the file has already, unless given."""
    path = root_folder / "#account.xml"
    root = etree.Element("account", version="1.0")
    for name in sorted(subscriptions):
        etree.SubElement(root, "subscription").text = name
    _add_annotations(root, _annotations(_parse(path)) if annotations is None else annotations)
    _write(path, root)


def read_subscriptions(root_folder: Path) -> list[str]:
    root = _parse(root_folder / "#account.xml")
    return [] if root is None else [element.text for element in root.iter("subscription") if element.text]


def account_annotations(root_folder: Path) -> dict[str, bytes]:
    return _annotations(_parse(root_folder / "#account.xml"))


def _add_annotations(root: etree._Element, annotations: Mapping[str, bytes]) -> None:
    for name in sorted(annotations):
        element, value = etree.SubElement(root, "annotation", name=name), annotations[name]
        text = value.decode("utf-8", "replace")
        if text.encode() == value and text == text.strip() and all(char.isprintable() for char in text):
            element.text = text
        else:
            element.set("encoding", "base64")
            element.text = base64.b64encode(value).decode("ascii")


def _annotations(root: etree._Element | None) -> dict[str, bytes]:
    annotations: dict[str, bytes] = {}
    for element in () if root is None else root.iterchildren("annotation"):
        text, name = element.text or "", element.get("name")
        try:
            value = base64.b64decode(text, validate=True) if element.get("encoding") == "base64" else text.encode()
        except (binascii.Error, ValueError):
            continue
        if name:
            annotations[name] = value
    return annotations


def _parse(path: Path) -> etree._Element | None:
    """None: there is none, or it cannot be read. OSError if only the moment is bad: what stands there is not to be
    overwritten as if it were nothing."""
    try:
        if not_a_file(path):
            return None
        return etree.fromstring(path.read_bytes(), etree.XMLParser(resolve_entities=False, no_network=True))
    except OSError as error:
        if passing(error, path):
            raise
        return None
    except etree.XMLSyntaxError:
        return None


def _write(path: Path, root: etree._Element) -> None:
    temporary = path.with_name(path.name + ".new")
    temporary.write_bytes(etree.tostring(root, pretty_print=True, xml_declaration=True, encoding="utf-8"))
    os.chmod(temporary, 0o600)
    os.replace(temporary, path)
