"""Calls about what the server does by itself at times."""

from dataclasses import dataclass
from typing import Annotated

from whimbrel.services.admin.calls import Known, Needs, call, nearest, not_found
from whimbrel.services.admin.context import AdminContext, need
from whimbrel.services.admin.ports import JobState
from whimbrel.services.admin.views import Moment, Page, Words


@dataclass(frozen=True, slots=True)
class JobRow:
    """`state`: running, done, failed, or waiting for its first run."""

    name: str
    state: str
    result: Words
    """What the last run did, or why it failed."""
    last: Moment
    next: Moment
    schedule: str
    seconds: float
    """That the last run took."""
    help: Words


@dataclass(frozen=True, slots=True)
class JobRun:
    name: str
    failed: tuple[str, ...]
    """Why, if it did."""
    text: str


@call(
    "job",
    "list",
    reads=True,
    needs=Needs.SERVER,
    names=("job", "name"),
    help="Lists jobs with their last run and the next.",
)
async def job_list(ctx: AdminContext) -> Page[JobRow]:
    return Page(tuple(map(_row, need(ctx.jobs, "Jobs").list())))


def _row(job: JobState) -> JobRow:
    state = "running" if job.running else "failed" if job.failed else "done" if job.last else "waiting"
    return JobRow(
        job.name, state, job.result, Moment(job.last), Moment(job.next), job.schedule, round(job.took, 3), job.help
    )


@call("job", "run", needs=Needs.SERVER, operation=True, problems="failed", help="Runs a job now, and says what it did.")
async def job_run(ctx: AdminContext, name: Annotated[str, "Name of the job.", Known("job")]) -> JobRun:
    jobs = need(ctx.jobs, "Jobs")
    names = [job.name for job in jobs.list()]
    if name not in names:
        not_found("job", name, nearest(name, names))
    if ctx.dry_run:
        return JobRun(name, (), f"Checked only: the job {name} would be run")
    ended = await jobs.run(name)
    return JobRun(name, (ended.result,) if ended.failed else (), ended.result or f"The job {name} was run")
