"""The table of health checks, in the order in which they are shown: one line for each."""

from typing import Final

from whimbrel.services.health.check import Check
from whimbrel.services.health.checks import configuration, machine, names, outgoing, store, waiting, work

CHECKS: Final[tuple[Check, ...]] = (
    work.SERVICES,
    names.RESOLVER,
    names.HOSTNAME,
    names.MX,
    names.REVERSE,
    outgoing.PORT_25,
    machine.CERTIFICATES,
    machine.CERTIFICATE_NAMES,
    machine.DISK,
    store.STORE,
    store.FLAG_BACKUPS,
    store.SCANNERS,
    waiting.QUEUE,
    waiting.OWNERLESS,
    work.FILTERS,
    work.JOBS,
    configuration.EDITS,
    configuration.CONFIGURATION,
    configuration.OPEN_RELAY,
    machine.CLOCK,
    machine.MEMORY,
)
