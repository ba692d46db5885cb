"""The port ConfigFiles over the two backends: former versions of both files, and a check of what is on disk."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from whimbrel.backends.config.files import ConfigFile, Former
from whimbrel.backends.config.store import FileConfig
from whimbrel.backends.directory.editor import DirectoryFile
from whimbrel.backends.directory.scan import MAX_BYTES
from whimbrel.core.config import ConfigError, Fault
from whimbrel.core.directory import Reread
from whimbrel.core.pool import Pool
from whimbrel.core.settings import Concern
from whimbrel.services.admin.ports import Version

CONFIG, USERS = "mailserver.cfg", "users.cfg"


class FormerVersions:
    """Reading is for all; `restore` and `keep` for `control`, or for a command that holds DIR/lock."""

    def __init__(
        self,
        config: FileConfig,
        editor: DirectoryFile,
        pool: Pool | None = None,
        *,
        unread: Mapping[str, ConfigFile] | None = None,
    ) -> None:
        """`unread`: the files could not be read, so nothing of theirs is in use that `restore` would overrule."""
        self._config, self._editor, self._pool, self._unread = config, editor, pool, unread

    async def versions(self, file: str) -> Sequence[Version]:
        await self._written(file)
        former: list[Former] = self._holder(file).former()
        return [Version(version.number, file, version.replaced, version.size) for version in former]

    async def difference(self, file: str, number: int) -> str:
        await self._written(file)
        holder = self._holder(file)
        return await self._pool.run(holder.difference_to, number) if self._pool else holder.difference_to(number)

    async def restore(self, file: str, number: int, *, confirmed: str = "") -> Reread:
        holder = self._holder(file)
        if self._unread is None:
            if file == USERS:
                return await self._editor.restore(number, confirmed=confirmed)
            await self._config.restore(number, confirmed=confirmed)
            return Reread()
        broken = self._unread[file]
        content = broken.version(number, MAX_BYTES)
        holder.verify(content)
        if file == CONFIG:
            self._config.confirm(content, confirmed)
        broken.replace([content])  # What stood there is now a former version.
        return Reread()

    async def keep(self) -> Sequence[str]:
        kept = []
        for file in (CONFIG, USERS):
            holder = self._holder(file)
            if holder.difference():
                await holder.keep()
                kept.append(file)
        return kept

    def edited(self) -> str:
        return " ".join(filter(None, (self._config.edited(), self._editor.edited())))

    async def differ(self) -> Sequence[str]:
        return await self._pool.run(self._differ) if self._pool else self._differ()

    def _differ(self) -> Sequence[str]:
        return [file for file in (CONFIG, USERS) if self._holder(file).edited() and self._holder(file).difference()]

    async def aside(self) -> str:
        return await self._pool.run(self._editor.aside) if self._pool else self._editor.aside()

    async def check(self) -> Sequence[Concern]:
        return await self._pool.run(self._check) if self._pool else self._check()

    def _check(self) -> Sequence[Concern]:
        faults: list[Fault] = []
        for verify in (self._config.verify, self._editor.verify):
            try:
                verify()
            except ConfigError as error:
                faults += error.faults
        if faults:
            raise ConfigError(*faults)
        return self._config.concerns_on_disk()

    async def _written(self, file: str) -> None:
        """What was in force a moment ago is a former version only when the file has been written since."""
        if file == USERS and self._unread is None:
            await self._editor.write()

    def _holder(self, file: str) -> FileConfig | DirectoryFile:
        return self._config if file == CONFIG else self._editor


if TYPE_CHECKING:
    from whimbrel.services.admin.ports import ConfigFiles

    def _port(files: FormerVersions) -> ConfigFiles:
        return files
