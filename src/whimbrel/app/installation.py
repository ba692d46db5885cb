"""An installation: everything of one server lies below one directory.

DIR/mailserver.cfg users.cfg    the whole configuration       DIR/history/   former versions
DIR/users.cfg.changes           what a large users.cfg will hold within a second
DIR/secret.key                  the installation's key: see `KeyFile`
DIR/tokens.json                 hashes of API tokens
DIR/keys/dkim/                  keys to sign mail with, a file for each domain
DIR/password-links.json         hashes of links by which people set their passwords
DIR/unfinished/                 what a change of several steps was about to do when its process died
DIR/lock                        held by the server, or by one offline command
DIR/run/                        sockets and state of the running server
DIR/tls/                        certificates and keys
DIR/store/                      mail, queue, logs (setting store/directory may put it elsewhere)
"""

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from whimbrel.app.key_file import KeyFile
from whimbrel.app.settings import MailServer
from whimbrel.backends.config.settings import HistorySettings
from whimbrel.backends.config.store import FileConfig, Snapshot
from whimbrel.backends.store.settings import StoreSettings
from whimbrel.core.settings import Section

if TYPE_CHECKING:
    from whimbrel.core.log import Log
    from whimbrel.core.pool import Pool

_ID: Final = 4
"""Octets of the public id: as many as keep two installations on one host apart."""


class Installation:
    """Paths, and the configuration as the files have it."""

    def __init__(self, directory: Path, root: type[Section] = MailServer) -> None:
        """`root` is the table of sections of mailserver.cfg."""
        self.directory, self._root = directory.absolute(), root
        self.config_file = self.directory / "mailserver.cfg"
        self.users_file = self.directory / "users.cfg"
        self.users_index = self.directory / "users.idx"
        self.history = self.directory / "history"
        self.tokens_file = self.directory / "tokens.json"
        self.keys = self.directory / "keys" / "dkim"
        self.password_links_file = self.directory / "password-links.json"
        self.unfinished = self.directory / "unfinished"
        self.run = self.directory / "run"
        self.tls = self.directory / "tls"
        self.key = KeyFile(self.directory / "secret.key")
        self.admin_socket = self.run / "admin.sock"
        self.console_socket = self.run / "console.sock"
        self._store: Path | None = None
        self._known: Snapshot | None = None

    def load_config(self, *, pool: "Pool | None" = None, log: "Log | None" = None) -> FileConfig:
        """Reads mailserver.cfg. ConfigError tells every fault with its line."""
        config = FileConfig(self.config_file, self._root, pool=pool, log=log, history=self.history)
        config.retain(lambda: config.section(HistorySettings).retention)
        config.begin(self._known)
        self._known = config.snapshot  # Those who are forked from here share it.
        self._store = self.directory / config.section(StoreSettings).directory
        return config

    @property
    def public_id(self) -> str:
        """By which browsers tell it from other installations: derived from its key, so it stays over restarts and moves
        with the installation. Where the key cannot be read (its error is told by who needs it more), from its place."""
        try:
            return self.key.derived("public id of the installation")[:_ID].hex()
        except OSError:
            return hashlib.sha256(os.fsencode(self.directory)).digest()[:_ID].hex()

    @property
    def store(self) -> Path:
        """The store directory; `load_config` comes first."""
        if self._store is None:
            self.load_config()
        assert self._store is not None
        return self._store

    @property
    def logs(self) -> Path:
        return self.store / "logs"

    @property
    def queue(self) -> Path:
        return self.store / "queue"
