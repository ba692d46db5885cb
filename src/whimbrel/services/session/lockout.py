"""Locks out password guessing: counts failures per account and address, and per address.

All workers share the counters.
"""

import ipaddress
from collections.abc import Callable

from whimbrel.core.config import ConfigStore
from whimbrel.core.state import Counters
from whimbrel.services.session.settings import SecuritySettings


class LockOut:
    """Makes counters of failures. One per process."""

    def __init__(self, config: ConfigStore, counters: Counters) -> None:
        self._config, self._counters = config, counters

    def of(self, ip: str, user: str = "") -> "Failures":
        """Returns the counters of an address and a user; of the address alone if `user` is empty."""
        return Failures(self._config.section(SecuritySettings), self._counters, ip, user)


class Failures:
    """Failures of one address and user, under the settings in force."""

    __slots__ = ("_counters", "_host", "_pair", "_settings", "_window")

    def __init__(self, settings: SecuritySettings, counters: Counters, ip: str, user: str) -> None:
        self._settings, self._counters, self._window = settings, counters, float(settings.lock_out_window)
        self._host = f"signin:{counted(ip)}"
        self._pair = f"{self._host}:{user}" if user else ""

    def locked(self) -> bool:
        """True if the address is locked out, for this user or entirely."""
        return self.pair_locked() or self.host_locked()

    def pair_locked(self) -> bool:
        """True if the address is locked out for this user."""
        return bool(self._pair) and self._reached(self._pair, self._settings.lock_out_after)

    def host_locked(self) -> bool:
        """True if the address is locked out for every user."""
        return self._reached(self._host, self._settings.lock_out_host_after)

    def forgive(self) -> None:
        """Resets the failures of address and user after a success."""
        if failures := self._counters.get(self._pair, window=self._window):
            self._counters.add(self._pair, -failures, window=self._window)

    def count(self, reached: Callable[[], None]) -> None:
        """Counts a failure; calls `reached` for each limit that it reaches."""
        for counter, limit in (
            (self._pair, self._settings.lock_out_after),
            (self._host, self._settings.lock_out_host_after),
        ):
            if counter and limit > 0 and self._counters.add(counter, window=self._window) == limit:
                reached()

    def _reached(self, counter: str, limit: int) -> bool:
        return limit > 0 and self._counters.get(counter, window=self._window) >= limit


def counted(ip: str) -> str:
    """Returns the unit that is counted: an IPv4 address, or the /64 of an IPv6 address, which belongs to one client."""
    if ":" not in ip:
        return ip
    try:
        return str(ipaddress.ip_network((ip.partition("%")[0], 64), strict=False).network_address)
    except ValueError:
        return ip
