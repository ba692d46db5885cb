"""The table of all that the server does by itself at times, run by `control` alone under one owner (`owner.py`).

Also asked: `whimbrel job list`, and run at once: `whimbrel job run NAME`.
"""

from typing import Final

from whimbrel.services.jobs.chores import CERTIFICATE, EDITS, INDEX, LOG_FILES, PURGE, RELIEVE, SELF_CHECK
from whimbrel.services.jobs.clean_out import CLEAN_OUT
from whimbrel.services.jobs.count import COUNT
from whimbrel.services.jobs.departures import DEPARTURES
from whimbrel.services.jobs.health import HEALTH
from whimbrel.services.jobs.job import Job
from whimbrel.services.jobs.low_space import LOW_SPACE
from whimbrel.services.jobs.servers import SERVERS
from whimbrel.services.jobs.signing_keys import SIGNING_KEYS
from whimbrel.services.jobs.usage import USAGE
from whimbrel.services.jobs.verifiers import VERIFIERS

JOBS: Final[tuple[Job, ...]] = (
    USAGE,
    VERIFIERS,
    CLEAN_OUT,
    DEPARTURES,
    PURGE,
    RELIEVE,
    LOW_SPACE,
    SELF_CHECK,
    COUNT,
    LOG_FILES,
    CERTIFICATE,
    EDITS,
    HEALTH,
    SERVERS,
    INDEX,
    SIGNING_KEYS,
)
