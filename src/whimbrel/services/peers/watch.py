"""How other servers are: asked at times, the last answer of each kept. What they say is bounded, and shown as text."""

import asyncio
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from whimbrel.core.clock import Clock
from whimbrel.core.config import ConfigStore
from whimbrel.core.log import Log
from whimbrel.core.state import State
from whimbrel.services.peers.ports import Asker, Said, UntrustedError
from whimbrel.services.peers.settings import PeerServer, PeersSettings

KIND: Final = "peer"
"""Of State: since when a server is as it is."""
AT_ONCE: Final = 8
_STATUS: Final = "/api/admin/status"
_SENTENCES: Final = 10
_LONGEST: Final = 300
_SEVERE: Final = frozenset({"danger", "wrong"})


@dataclass(frozen=True, slots=True)
class PeerState:
    """`state`: ok, warning (it has something to say), failing (a health check is red, or worse), unreachable, untrusted
    (its certificate), refused (the token, or the request), unknown (not asked yet). Times are seconds since 1970."""

    name: str
    url: str
    state: str = "unknown"
    text: str = ""
    """Why, in a sentence."""
    version: str = ""
    red: int = 0
    waiting: int = 0
    held: int = 0
    attention: tuple[str, ...] = ()
    """What it says that needs attention."""
    since: float = 0.0
    looked: float = 0.0

    @property
    def reached(self) -> bool:
        return self.state in ("ok", "warning", "failing")


class PeerWatch:
    """Control has one."""

    def __init__(self, asker: Asker, config: ConfigStore, state: State, clock: Clock, log: Log) -> None:
        self._asker, self._config, self._state, self._clock, self._log = asker, config, state, clock, log
        self._states: dict[str, PeerState] = {}
        self._looking = asyncio.Lock()

    def states(self) -> Sequence[PeerState]:
        """In the order of the settings. A server whose address was changed is not known yet."""
        made = []
        for server in self._config.section(PeersSettings).servers:
            known = self._states.get(server.name)
            made.append(known if known and known.url == server.url else PeerState(server.name, server.url))
        return made

    async def look(self, names: Collection[str] = ()) -> Sequence[PeerState]:
        """Asks those, or all; what is known of all of them then."""
        async with self._looking:
            servers = [each for each in self._config.section(PeersSettings).servers if not names or each.name in names]
            room = asyncio.Semaphore(AT_ONCE)

            async def ask(server: PeerServer) -> None:
                async with room:
                    await self._keep(await self._ask(server))

            await asyncio.gather(*map(ask, servers))
            known = {server.name for server in self._config.section(PeersSettings).servers}
            for name in self._states.keys() - known:
                del self._states[name]
                await self._state.delete(KIND, name)
        return self.states()

    async def _ask(self, server: PeerServer) -> PeerState:
        """Never raises."""
        nothing = PeerState(server.name, server.url, looked=self._clock.now())
        if not server.url or not server.token:
            return replace(nothing, text=f"Its {'address' if not server.url else 'token'} is not set.")
        try:
            said = await self._asker.get(server.url, _STATUS, server.token.reveal(), server.pin)
        except UntrustedError as error:
            return replace(nothing, state="untrusted", text=_sentence(str(error)))
        except (OSError, ValueError) as error:
            return replace(nothing, state="unreachable", text=_sentence(str(error) or type(error).__name__))
        return read(nothing, said)

    async def _keep(self, now: PeerState) -> None:
        before = self._states.get(now.name)
        kept = await self._state.get(KIND, now.name) if before is None else None
        state, since = (before.state, before.since) if before is not None else _kept(kept)
        self._states[now.name] = replace(now, since=since if state == now.state else now.looked)
        if state != now.state:
            await self._state.set(KIND, now.name, json.dumps([now.state, now.looked]))
            if state:
                write = self._log.info if now.reached else self._log.warning
                write("peer.changed", name=now.name, result=now.state, before=state, status=now.text)


def read(nothing: PeerState, said: Said) -> PeerState:
    """What a server answered to the call `status`."""
    if said.status in (401, 403):
        text = "It does not take the token: it is over, was revoked, or may not read the state of the server."
        return replace(nothing, state="refused", text=text)
    if said.status == 421:
        text = (
            "It is not called so: name it by `services/console/names` there, or by an address that it knows as its own."
        )
        return replace(nothing, state="refused", text=text)
    if said.status != 200:
        return replace(nothing, state="refused", text=f"It answers {said.status}.")
    try:
        result: Mapping[str, Any] = json.loads(said.body)["result"]
        attention = [(str(each["level"]), _clean(str(each["text"])).strip()) for each in result["attention"]]
        red, waiting, held = (_count(result[name]) for name in ("red", "waiting", "held"))
        version = _clean(str(result["version"]))[:40]
    except (ValueError, KeyError, TypeError, RecursionError):
        return replace(nothing, state="refused", text="Its answer is not that of a Whimbrel server.")
    severe = [text for level, text in attention if level in _SEVERE]
    state = "failing" if red or severe else "warning" if attention else "ok"
    return replace(
        nothing, state=state, text=severe[0] if severe else attention[0][1] if attention else "", version=version,
        red=red, waiting=waiting, held=held, attention=tuple(text for _, text in attention[:_SENTENCES]),
    )  # fmt: skip


def _count(value: object) -> int:
    """TypeError."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("no count")
    return min(max(value, 0), 1 << 53)


def _clean(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text[:_LONGEST])


def _sentence(text: str) -> str:
    text = _clean(text).strip()
    return text[:1].upper() + text[1:]


def _kept(text: str | None) -> tuple[str, float]:
    try:
        state, since = json.loads(text or "")
        return str(state), float(since)
    except (ValueError, TypeError):
        return "", 0.0
