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

    def locked(self, ip: str, user: str) -> bool:
        """Whether this address may not try now, for this user or for any."""
        settings, host = self._config.section(SecuritySettings), counted(ip)
        window = float(settings.lock_out_window)
        return self._reached(f"signin:{host}:{user}", settings.lock_out_after, window) or self._reached(
            f"signin:{host}", settings.lock_out_host_after, window
        )

    def succeeded(self, ip: str, user: str) -> None:
        """Forgives the failures of the address for this user."""
        pair, window = f"signin:{counted(ip)}:{user}", float(self._config.section(SecuritySettings).lock_out_window)
        if failures := self._counters.get(pair, window=window):
            self._counters.add(pair, -failures, window=window)

    def failed(self, ip: str, user: str, reached: Callable[[], None]) -> None:
        """Counts; `reached` is called for each limit that is reached by it. An empty `user` is nobody's failure."""
        settings, host = self._config.section(SecuritySettings), counted(ip)
        window = float(settings.lock_out_window)
        limits = {f"signin:{host}": settings.lock_out_host_after}
        if user:
            limits[f"signin:{host}:{user}"] = settings.lock_out_after
        for counter, limit in limits.items():
            if limit > 0 and self._counters.add(counter, window=window) == limit:
                reached()

    def _reached(self, counter: str, limit: int, window: float) -> bool:
        return limit > 0 and self._counters.get(counter, window=window) >= limit


def counted(ip: str) -> str:
    """Who is counted: an IPv4 address; of IPv6 the /64, all of which one client owns."""
    if ":" not in ip:
        return ip
    try:
        return str(ipaddress.ip_network((ip.partition("%")[0], 64), strict=False).network_address)
    except ValueError:
        return ip
