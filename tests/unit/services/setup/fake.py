"""A machine of which tests say how it is."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from whimbrel.core.values import HostPort
from whimbrel.services.setup.machine import Clock, Dialogue, Disk, PairLook, Relay

GB = 1 << 30


@dataclass
class FakeMachine:
    root: bool = False
    name: str = "mail.example.org"
    names: dict[str, tuple[str, ...]] = field(default_factory=lambda: {"mail.example.org": ("192.0.2.7",)})
    ours: tuple[str, ...] = ("192.0.2.7",)
    dns: str = ""
    held: dict[int, str] = field(default_factory=dict)
    dialogue: Dialogue = field(default_factory=lambda: Dialogue(("S: 220 hello",)))
    relays: list[Relay] = field(default_factory=list)
    time: Clock = field(default_factory=lambda: Clock(synchronised=True))
    available: int = 4 * GB
    room: Disk = field(default_factory=lambda: Disk(100 * GB, 200 * GB, "ext4", writable=True, separate=True))
    claimed: str = ""
    watching: tuple[str, ...] = ()
    users: tuple[str, ...] = ("whimbrel",)
    pair: PairLook = field(default_factory=lambda: PairLook(("mail.example.org",), 2e9))

    def hostname(self) -> str:
        return self.name

    def addresses(self, name: str) -> Sequence[str]:
        if name not in self.names:
            raise OSError(-2, "Name or service not known")
        return self.names[name]

    def own(self, address: str) -> bool:
        return address in self.ours

    def resolver_fault(self) -> str:
        return self.dns

    def holder(self, address: HostPort) -> str:
        return self.held.get(address.port, "")

    def another(self, address: HostPort) -> HostPort | None:
        return HostPort(f"{address.host}:{2000 + address.port}")

    def greeting(self, host: str) -> Dialogue:
        return self.dialogue

    def converse(self, relay: Relay) -> Dialogue:
        self.relays.append(relay)
        return self.dialogue

    def clock(self) -> Clock:
        return self.time

    def memory(self) -> tuple[int, int]:
        return 8 * GB, self.available

    def disk(self, folder: str) -> Disk:
        return self.room

    def store_fault(self, folder: str) -> str:
        return self.claimed

    def scanners(self, folder: str) -> Sequence[str]:
        return self.watching

    def user_fault(self, name: str) -> str:
        if name == "root":
            return "root may do everything on this machine"
        return "" if name in self.users else f"there is no user {name} on this system"

    def look_at(self, certificate: bytes, key: bytes) -> PairLook:
        return self.pair
