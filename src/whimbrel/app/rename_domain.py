"""Renames a domain while no server runs: its element in users.cfg, and the folder of its users' mail.

The folder goes first. After a crash between the two the same command finishes the work: a folder that has its new
name already is left alone. The former name stays as an alias, so every address goes on working.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from whimbrel.backends.config import tree, xml
from whimbrel.backends.config.files import ConfigFile, sync_folder
from whimbrel.backends.directory.scan import MAX_BYTES
from whimbrel.backends.store.disk.names import account_path
from whimbrel.core.config import ConfigConflict, ConfigError, Fault, UnknownName
from whimbrel.core.directory import DirectoryChange, DirectoryEditor, Kind, Op
from whimbrel.core.mailbox import AccountId

if TYPE_CHECKING:
    from whimbrel.app.installation import Installation


async def rename_domain(installation: "Installation", editor: DirectoryEditor, old: str, new: str) -> None:
    """The caller holds DIR/lock and has checked that `new` is free. ConfigError, ConfigConflict."""
    outside = editor.difference()
    if outside:
        raise ConfigConflict("users.cfg", outside)
    holder = ConfigFile(installation.users_file, history=installation.history)
    content = _renamed(holder.read(MAX_BYTES)[0], old, new)
    _move_mail(installation.store / "mail", old, new)
    holder.replace([content])
    await editor.reload()
    entry = await editor.entry(Kind.DOMAIN, new)
    known = entry.values.get("domain-alias", ()) if entry else ()
    aliases = ((known,) if isinstance(known, str) else known) + (old,)
    await editor.change([DirectoryChange(Op.SET, Kind.DOMAIN, new, values={"domain-alias": aliases})])


def _renamed(content: bytes, old: str, new: str) -> bytes:
    root = xml.parse(content, "users.cfg", MAX_BYTES)
    for domain in root.iterchildren("domain"):
        if str(domain.get("name", "")).strip().lower() == old:
            domain.set("name", new)
            return tree.render(root)
    raise UnknownName(Fault("users.cfg", 0, f"domain {old}", "there is no such domain"))


def _move_mail(mail: Path, old: str, new: str) -> None:
    source, target = (account_path(mail, AccountId(f"x@{name}")).parent for name in (old, new))
    if not source.exists():
        return
    if target.exists():
        raise ConfigError(
            Fault("", 0, str(target), "this folder exists already; it holds mail of a domain that had this name once")
        )
    source.rename(target)
    sync_folder(mail)
