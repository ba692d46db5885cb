"""The port TokenStore: `DIR/tokens.json`."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from whimbrel.backends.config.kept_rows import KeptRows
from whimbrel.core.config import ConfigError, Fault
from whimbrel.core.tokens import MAX_TOKENS, Token, TokenStore


class TokenFile(KeptRows[Token]):
    """For control, or for a command that holds DIR/lock."""

    ROWS = "tokens"

    async def tokens(self) -> Sequence[Token]:
        return await self._all()

    async def change(self, add: Sequence[Token] = (), remove: Collection[str] = ()) -> None:
        def changed(before: Mapping[str, Token]) -> dict[str, Token]:
            tokens = {name: token for name, token in before.items() if name not in remove}
            for token in add:
                if token.name in tokens:
                    raise ConfigError(Fault("", 0, "name", f"there is a token '{token.name}' already"))
                tokens[token.name] = token
            if len(tokens) > MAX_TOKENS:
                raise ConfigError(Fault("", 0, "", f"there are {MAX_TOKENS} tokens already; revoke some"))
            return tokens

        await self._changed(changed)

    def _unreadable(self, error: Exception) -> str:
        return f"it cannot be read ({error}): mend it, or delete it and make the tokens anew"

    def _key(self, row: Token) -> str:
        return row.name

    def _row(self, values: Any) -> Token:
        return Token(
            str(values["name"]), str(values["digest"]), str(values["maker"]), tuple(map(str, values["grants"])),
            float(values["created"]), float(values["expires"]),
        )  # fmt: skip


_port: type[TokenStore] = TokenFile
