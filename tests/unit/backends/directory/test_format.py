"""A file that holds elements of this release says so by its version; the former release keeps then what it lacks."""

import asyncio
from pathlib import Path

import pytest

from whimbrel.backends.directory.editor import DirectoryFile
from whimbrel.backends.directory.reader import IndexDirectory
from whimbrel.core.directory import DirectoryChange, Kind, Op
from whimbrel.core.mailbox import AccountId
from whimbrel.core.rights import Right
from whimbrel.core.values import Secret
from whimbrel.services.admin.people.records import RECORDS

KEYS = {"password": Secret("$argon2id$a"), "password-keys": Secret("id=1 of=2 S$k")}


def edited(folder: Path, root: str, *changes: dict[str, object]) -> str:
    path = folder / "users.cfg"
    path.write_text(
        f'<?xml version="1.0"?>\n{root}\n  <domain name="a.example"><primary>yes</primary>\n'
        '    <user name="amy"/>\n  </domain>\n</users>\n'
    )
    editor = DirectoryFile(path, folder / "users.idx", records=RECORDS)
    editor.open()
    for values in changes:
        editor.edit([DirectoryChange(Op.SET, Kind.USER, "a.example", "amy", values)])
    editor.verify()
    editor.close()
    return path.read_text()


@pytest.mark.parametrize(
    ("root", "then"),
    [
        ('<users version="1.0">', '<users version="1.1">'),
        ("<users version='1.0' release='x'>", "<users version='1.1' release='x'>"),
        ("<users>", '<users version="1.1">'),
        ("<users\n>", '<users version="1.1"\n>'),
        ('<users version="1.7">', '<users version="1.7">'),
    ],
)
@pytest.mark.parametrize("values", [KEYS, {"grant": ("mail-read",)}])
def test_new_elements_raise_the_version(tmp_path: Path, root: str, then: str, values: dict[str, object]) -> None:
    text = edited(tmp_path, root, values, {"full-name": "Amy A."})
    assert then in text
    assert "Amy A." in text


def test_a_file_without_new_elements_keeps_its_version(tmp_path: Path) -> None:
    assert '<users version="1.0">' in edited(tmp_path, '<users version="1.0">', {"full-name": "Amy"})


def test_grants_add_to_what_rights_says(tmp_path: Path) -> None:
    grants = ("domain b.example c.example", "mail-read")
    edited(tmp_path, '<users version="1.0">', {"rights": "domain", "grant": grants})
    directory = IndexDirectory(tmp_path / "users.idx")
    account = asyncio.run(directory.account(AccountId("amy@a.example")))
    directory.close()
    assert account is not None
    assert account.grants.domains(Right.DOMAIN) == {"a.example", "b.example", "c.example"}
    assert account.grants.allows(Right.MAIL_READ, "b.example")


def test_who_has_server_write_by_a_grant_is_an_administrator(tmp_path: Path) -> None:
    edited(tmp_path, '<users version="1.0">', {"grant": ("server-write",)})
    directory = IndexDirectory(tmp_path / "users.idx")
    assert [account.id for account in asyncio.run(directory.administrators())] == ["amy@a.example"]
    directory.close()
