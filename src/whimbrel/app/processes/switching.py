"""Control's hand on the services: started, stopped and moved while the server runs, by settings and by people.

What a service listens on is what the settings say, unless a person stopped or started it: that holds until the server
starts again, or until `enabled` is set. A port that another program holds is tried again until it is free; until then
the service stays where it was.
"""

import asyncio
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Final

from whimbrel.app.house import House
from whimbrel.app.place import Place
from whimbrel.app.services import SERVICES
from whimbrel.services.session.services import ServicesSettings

RETRY: Final = 5.0
"""Seconds between two attempts to bind a port that was refused."""

Places = tuple[Place, ...]
_SERVICES: Final = {service.name: service for service in SERVICES}


class Switch:
    """The admin port ServiceSwitch. One for the control process; `follow` runs for its life."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._lock = asyncio.Lock()
        self._changed = asyncio.Event()
        self._enabled = self._settings()
        self._refused: frozenset[tuple[str, str]] = frozenset()
        house.config.subscribe(self._heard)

    async def start(self, name: str) -> None:
        async with self._lock:
            await self._apply({name}, self._overrides() | {name: True})

    async def stop(self, name: str) -> None:
        async with self._lock:
            await self._apply({name}, self._overrides() | {name: False})

    async def restart(self, name: str) -> None:
        async with self._lock:
            await self._apply({name}, self._overrides() | {name: True}, end={name})

    async def apply(self) -> None:
        async with self._lock:
            await self._apply_settings()

    async def connections(self) -> Mapping[str, int]:
        return await self._house.supervision.connections()

    async def follow(self) -> None:
        """Makes changed settings true, and tries refused ports again."""
        while True:
            try:
                async with asyncio.timeout(RETRY):
                    await self._changed.wait()
            except TimeoutError:
                pass
            self._changed.clear()
            if not self._house.supervision.state:
                continue  # The state has not come yet.
            try:
                await self.apply()
            except OSError as error:  # TimeoutError is one.
                self._house.log.error("service.not-changed", reason=str(error) or "the zygote does not answer")

    # Inside

    async def _apply_settings(self) -> None:
        self._log_refusals()
        overrides, enabled = self._overrides(), self._settings()
        for name, on in enabled.items():
            if on != self._enabled[name]:
                overrides.pop(name, None)
        self._enabled = enabled
        due = {name for name in enabled if self._wanted(name, overrides) != self._present(name)}
        if due or overrides != self._overrides():
            await self._apply(due, overrides)

    def _settings(self) -> dict[str, bool]:
        section = self._house.config.section(ServicesSettings)
        return {service.name: section.named(service.name).enabled for service in SERVICES}

    def _heard(self, paths: Collection[str]) -> None:
        if any(path.startswith("services/") for path in paths):
            self._changed.set()

    def _overrides(self) -> dict[str, bool]:
        return dict(self._house.supervision.state.get("overrides", {}))

    def _wanted(self, name: str, overrides: Mapping[str, bool]) -> frozenset[str]:
        return frozenset(map(str, self._places(name, overrides)))

    def _places(self, name: str, overrides: Mapping[str, bool]) -> Places:
        settings = self._house.config.section(ServicesSettings).named(name)
        return tuple(_SERVICES[name].places(settings)) if overrides.get(name, settings.enabled) else ()

    def _present(self, name: str) -> frozenset[str]:
        """Where it listens now, as settings write it."""
        return frozenset(self._house.supervision.state.get("bound", {}).get(name, ()))

    async def _apply(self, names: Collection[str], overrides: Mapping[str, bool], *, end: Collection[str] = ()) -> None:
        """The sessions end of those in `end`, and of those that listen nowhere any more."""
        before = {name: self._present(name) for name in names}
        wanted = {name: self._places(name, overrides) for name in names}
        ending = [name for name, places in wanted.items() if not places or name in end]
        await self._house.supervision.listen(wanted, end=ending, overrides=overrides)
        self._log_refusals()
        for name in names:
            now, log = self._present(name), self._house.log
            if now and now != before[name]:
                log.info("service.listening", service=name, addresses=", ".join(sorted(now)))
            elif before[name] and not now and not wanted[name]:
                log.info("service.stopped", service=name)

    def _log_refusals(self) -> None:
        """Logs what could not be bound; once, not at each attempt."""
        refused = self._house.supervision.state.get("refused", ())
        for each in refused:
            if (each["service"], each["address"]) not in self._refused:
                self._house.log.error(
                    "service.refused", service=each["service"], address=each["address"], reason=each["error"]
                )
        self._refused = frozenset((each["service"], each["address"]) for each in refused)


if TYPE_CHECKING:
    from whimbrel.services.admin.ports import ServiceSwitch

    def _port(switch: Switch) -> ServiceSwitch:
        return switch
