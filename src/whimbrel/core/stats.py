"""What a server counts, by name, and the port by which its processes count it.

A family is a number, or one number for each value of its label: `connections` is counted as `connections.smtp`,
`connections.imap` ... A label has a fixed set of values, the last of which is for all others, so that nothing that
comes from outside makes new numbers. Counts only rise; what goes up and down (a queue's length) is a gauge.

Standards: https://prometheus.io/docs/practices/naming/ (names of metrics)
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from whimbrel.core.histogram import BUCKETS

OTHER: Final = "other"
REASONS: Final = (
    "unknown-recipient", "relay-denied", "mailbox-full", "too-large", "filtered", "syntax", "no-room", "temporary",
    "sign-in", OTHER,
)  # fmt: skip
"""Why a message or a recipient is refused."""
REPORTS: Final = ("failed", "delayed", "delivered", "relayed", "expanded", OTHER)
"""What a report tells. RFC 3464 2.3.3"""
TLS_VERSIONS: Final = ("TLSv1.3", "TLSv1.2", OTHER)
OUTCOMES: Final = ("delivered-local", "delivered-remote", "delayed", "failed", "discarded", "parked", OTHER)
"""How a delivery to one recipient ended, or that it is tried again."""
DELIVERY: Final = "delivery"
"""Stands beside the services: what we send to other servers."""
INTERNAL: Final = "internal"
"""And what we make ourselves: reports, forwards, replies."""
LATENCY: Final = "latency"
"""Seconds from the end of a message's content to the mailbox, as a histogram."""

LATENCY_SUM: Final = "latency-sum"


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of number. `metric` is its name for Prometheus, without prefix and `_total`."""

    name: str
    metric: str
    help: str
    label: str = ""
    values: tuple[str, ...] = ()
    """Of the label; the last is for all others. Empty with a label: the services of the server."""
    also: tuple[str, ...] = ()
    """Beside the services."""
    gauge: bool = False
    unit: str = ""
    """octets, seconds or milliseconds; empty: a number of things."""

    def columns(self, services: Sequence[str]) -> tuple[str, ...]:
        """Returns the names of its numbers."""
        if not self.label:
            return (self.name,)
        return tuple(f"{self.name}.{value}" for value in self.values or (*services, *self.also, OTHER))


FAMILIES: Final = (
    Family("messages-in", "messages_received", "Messages accepted, by the service they came through.", "service",
           also=(INTERNAL,)),
    Family("deliveries", "deliveries", "Deliveries to one recipient, by how they ended.", "outcome", OUTCOMES),
    Family("refused", "refused", "Messages and recipients refused, by reason.", "reason", REASONS),
    Family("reports", "reports", "Delivery status notifications sent.", "result", REPORTS),
    Family("octets-received", "messages_received_bytes", "Octets of the messages accepted.", "service",
           also=(INTERNAL,), unit="octets"),
    Family("sign-ins", "sign_ins", "Sign-ins that succeeded.", "service"),
    Family("sign-ins-failed", "sign_ins_failed", "Sign-ins that failed.", "service"),
    Family("sign-ins-locked", "sign_ins_locked", "Sign-ins refused after too many failures.", "service"),
    Family("connections", "connections", "Connections accepted.", "service"),
    Family("connections-ended", "connections_ended", "Connections that are over.", "service"),
    Family("connections-refused", "connections_refused", "Connections beyond a limit.", "service"),
    Family("tls", "tls_handshakes", "TLS handshakes with clients, by version.", "version", TLS_VERSIONS),
    Family("tls-failed", "tls_handshakes_failed", "TLS handshakes with clients that failed.", "service"),
    Family("octets-in", "network_receive_bytes", "Octets from clients, without TLS.", "service",
           also=(DELIVERY,), unit="octets"),
    Family("octets-out", "network_transmit_bytes", "Octets to clients, without TLS.", "service",
           also=(DELIVERY,), unit="octets"),
    Family(LATENCY_SUM, "latency_sum", "Time from the end of a message's content to its mailbox, all added up.",
           unit="milliseconds"),
    Family("cpu", "process_cpu", "Processor time of the server's processes.", unit="milliseconds"),
)  # fmt: skip
"""What processes count. A name stays what it is: statistics of a year are found by it."""

GAUGES: Final = (
    Family("connections-now", "connections_open", "Connections at this moment.", "service", gauge=True),
    Family("queue", "queue_messages", "Messages that wait to be delivered.", gauge=True),
    Family("queue-held", "queue_messages_held", "Messages that are held.", gauge=True),
    Family("memory", "memory_bytes", "Memory of the server's processes of their own.", gauge=True, unit="octets"),
    Family("disk-free", "disk_free_bytes", "Octets free where the store is.", gauge=True, unit="octets"),
    Family("workers", "workers", "Processes of the server.", gauge=True),
)
"""What is looked at from time to time."""

BUCKET_COLUMNS: Final = tuple(f"{LATENCY}.{number}" for number in range(BUCKETS))
MEMORY: Final = "memory"
"""The one gauge that each process tells of itself."""


def family_of(column: str) -> Family | None:
    """Returns the family that a number belongs to."""
    return _BY_NAME.get(column.partition(".")[0])


_BY_NAME: Final = {family.name: family for family in (*FAMILIES, *GAUGES)}


def counted_columns(services: Sequence[str]) -> tuple[str, ...]:
    """Returns the names of all that a process counts, in order: the layout of its board."""
    columns = [column for family in FAMILIES for column in family.columns(services)]
    return (*columns, *BUCKET_COLUMNS, MEMORY)


def gauge_columns(services: Sequence[str]) -> tuple[str, ...]:
    """Returns the names of all gauges."""
    return tuple(column for family in GAUGES for column in family.columns(services))


class Cell(Protocol):
    """A sequence of one number."""

    def __getitem__(self, index: int, /) -> int: ...

    def __setitem__(self, index: int, value: int, /) -> None: ...


class Tally(Protocol):
    """Counts of this process. Nothing here waits, locks or fails: a number nobody declared is counted as `other`."""

    def add(self, family: str, value: str = "", amount: int = 1) -> None:
        """Adds to the number of a family that has `value` as its label; empty for a family without a label."""
        ...

    def took(self, seconds: float) -> None:
        """Counts a message in a mailbox, so many seconds after it had come."""
        ...

    def noted(self, sender: str, octets: int) -> None:
        """A message of this size was accepted of `sender`; empty for a report."""
        ...

    def reached(self, recipient: str) -> None:
        """A message was delivered to the mailbox or address `recipient`."""
        ...

    def cell(self, family: str, value: str = "") -> Cell:
        """Returns that very number, for who counts too often to name it each time."""
        ...


class NoTally:
    """For processes and tests that do not count."""

    def add(self, family: str, value: str = "", amount: int = 1) -> None: ...

    def took(self, seconds: float) -> None: ...

    def noted(self, sender: str, octets: int) -> None: ...

    def reached(self, recipient: str) -> None: ...

    def cell(self, family: str, value: str = "") -> Cell:
        return [0]


def sums(columns: Sequence[str], values: Sequence[float]) -> Iterator[tuple[str, float]]:
    """Returns each family's sum over its label, in order, histograms left out."""
    totals: dict[str, float] = {}
    for column, value in zip(columns, values, strict=True):
        name = column.partition(".")[0]
        if name != LATENCY:
            totals[name] = totals.get(name, 0) + value
    yield from totals.items()
