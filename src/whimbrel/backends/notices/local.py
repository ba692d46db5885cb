"""Notices within one process, and the dispatch that the others build on."""

from collections.abc import Callable
from typing import TYPE_CHECKING

Heard = Callable[[str], None]


class LocalNotices:
    """Calls the subscribers of a topic."""

    def __init__(self) -> None:
        self._heard: dict[str, list[Heard]] = {}

    def publish(self, topic: str, key: str = "") -> None:
        self.dispatch(topic, key)

    def subscribe(self, topic: str, heard: Heard) -> Callable[[], None]:
        subscribers = self._heard.setdefault(topic, [])
        subscribers.append(heard)
        return lambda: subscribers.remove(heard) if heard in subscribers else None

    def dispatch(self, topic: str, key: str) -> None:
        for heard in tuple(self._heard.get(topic, ())):
            heard(key)


if TYPE_CHECKING:
    from whimbrel.core.notices import Notices

    _port: Notices = LocalNotices()
