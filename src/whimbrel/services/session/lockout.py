"""Who guesses passwords is locked out: failures counted for account and address together, and for the address alone.

The counters are shared by all workers.
"""

import ipaddress
from collections.abc import Callable

from whimbrel.core.config import ConfigStore
from whimbrel.core.state import Counters
from whimbrel.services.session.settings import SecuritySettings


class LockOut:
    """One in each process."""

    def __init__(self, config: ConfigStore, counters: Counters) -> None:
        self._config, self._counters = config, counters

    def of(self, ip: str, user: str = "") -> "Failures":
        """Those of an address, for a user; an empty `user` is nobody's failure."""
        return Failures(self._config.section(SecuritySettings), self._counters, ip, user)


class Failures:
    """Of one address and user, by the settings of now."""

    __slots__ = ("_counters", "_host", "_pair", "_settings", "_window")

    def __init__(self, settings: SecuritySettings, counters: Counters, ip: str, user: str) -> None:
        self._settings, self._counters, self._window = settings, counters, float(settings.lock_out_window)
        self._host = f"signin:{counted(ip)}"
        self._pair = f"{self._host}:{user}" if user else ""

    def locked(self) -> bool:
        """Whether this address may not try now, for this user or for any."""
        settings = self._settings
        return (bool(self._pair) and self._reached(self._pair, settings.lock_out_after)) or self._reached(
            self._host, settings.lock_out_host_after
        )

    def forgive(self) -> None:
        """The address has proven to be the user."""
        if failures := self._counters.get(self._pair, window=self._window):
            self._counters.add(self._pair, -failures, window=self._window)

    def count(self, reached: Callable[[], None]) -> None:
        """One more; `reached` is called for each limit that is reached by it."""
        for counter, limit in (
            (self._pair, self._settings.lock_out_after),
            (self._host, self._settings.lock_out_host_after),
        ):
            if counter and limit > 0 and self._counters.add(counter, window=self._window) == limit:
                reached()

    def _reached(self, counter: str, limit: int) -> bool:
        return limit > 0 and self._counters.get(counter, window=self._window) >= limit


def counted(ip: str) -> str:
    """Who is counted: an IPv4 address; of IPv6 the /64, all of which one client owns."""
    if ":" not in ip:
        return ip
    try:
        return str(ipaddress.ip_network((ip.partition("%")[0], 64), strict=False).network_address)
    except ValueError:
        return ip
