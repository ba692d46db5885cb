"""The table of jobs on a schedule, run by `control` alone: each a function of the context."""

from typing import Final

from whimbrel.services.jobs.clean_out import CLEAN_OUT
from whimbrel.services.jobs.job import Job
from whimbrel.services.jobs.verifiers import VERIFIERS

JOBS: Final[tuple[Job, ...]] = (CLEAN_OUT, VERIFIERS)
