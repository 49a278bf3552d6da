"""A Cloud Scheduler of our own: the real client's calls over gRPC, with the service's own message classes.

It keeps jobs with their states, last answers and next minutes, and refuses what the
service is known to refuse: pausing what is paused, jobs that are not there. `call` is what
"calling the target" answers; `faults` are statuses to answer with before the truth.
"""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import grpc.aio
from google.cloud.scheduler_v1 import types

from hedgerow import cron
from tests.contract.faulting import Faults, serving, unary

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from hedgerow.ports import Planned

SERVICE = "google.cloud.scheduler.v1.CloudScheduler"
State: Any = types.Job.State
# google/rpc/code.proto
CODES = {200: 0, 400: 3, 403: 7, 404: 5, 500: 13, 503: 14, 504: 4}


@dataclass
class CloudScheduler:
    """Jobs by full name, on a clock that the test moves."""

    now: datetime
    jobs: dict[str, types.Job] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    calls: list[str] = field(default_factory=list)

    def add(self, parent: str, planned: Iterable[Planned]) -> None:
        """Make the jobs as Terraform would."""
        for plan in planned:
            name = f"{parent}/jobs/{plan.name}"
            self.jobs[name] = types.Job(
                name=name,
                schedule=plan.cron,
                time_zone="Etc/UTC",
                state=State.ENABLED,
                schedule_time=cron.next_after(plan.cron, self.now),
                http_target={"uri": "https://target.example/", "body": json.dumps(dict(plan.body)).encode()},
            )

    def answered(self, name: str, status: int) -> None:
        """Note that the job's target was called just now and gave this HTTP status."""
        job = self.jobs[name]
        job.last_attempt_time = self.now
        job.status = {"code": CODES[status]}

    def wait(self, minutes: int) -> list[str]:
        """Let time pass; the jobs that fell due, each called once for each minute."""
        fired = []
        for _ in range(minutes):
            before, self.now = self.now, self.now + timedelta(minutes=1)
            for name, job in sorted(self.jobs.items()):
                if job.state == State.ENABLED and cron.falls_between(job.schedule, before, self.now):
                    fired.append(name.rsplit("/", 1)[1])
                    job.schedule_time = cron.next_after(job.schedule, self.now)
                    self.answered(name, 200)
        return fired

    async def list_jobs(self, request: types.ListJobsRequest, context: Any) -> types.ListJobsResponse:
        self.calls.append("list")
        names = sorted(name for name in self.jobs if name.startswith(f"{request.parent}/jobs/"))
        # Three a page, however many are asked for: the client must follow the pages.
        start = int(request.page_token or 0)
        return types.ListJobsResponse(
            jobs=[self.jobs[name] for name in names[start : start + 3]],
            next_page_token=str(start + 3) if start + 3 < len(names) else "",
        )

    async def get_job(self, request: types.GetJobRequest, context: Any) -> types.Job:
        return await self._job(request.name, context)

    async def pause_job(self, request: types.PauseJobRequest, context: Any) -> types.Job:
        return await self._turn(request.name, State.ENABLED, State.PAUSED, context)

    async def resume_job(self, request: types.ResumeJobRequest, context: Any) -> types.Job:
        return await self._turn(request.name, State.PAUSED, State.ENABLED, context)

    async def run_job(self, request: types.RunJobRequest, context: Any) -> types.Job:
        job = await self._job(request.name, context)
        self.calls.append(f"run {job.name.rsplit('/', 1)[1]}")
        self.answered(job.name, 200)
        return job

    async def _turn(self, name: str, must: Any, to: Any, context: Any) -> types.Job:
        job = await self._job(name, context)
        if job.state != must:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"The job is in state {job.state.name}.")
        job.state = to
        job.schedule_time = cron.next_after(job.schedule, self.now)
        return job

    async def _job(self, name: str, context: Any) -> types.Job:
        if name not in self.jobs:
            await context.abort(grpc.StatusCode.NOT_FOUND, "Job not found.")
        return self.jobs[name]


@asynccontextmanager
async def scheduler_server(scheduler: CloudScheduler) -> AsyncIterator[str]:
    """Serve it on a free port of this machine; yields "host:port"."""
    job = types.Job.serialize
    methods = {
        "ListJobs": unary(scheduler.list_jobs, types.ListJobsRequest.deserialize, types.ListJobsResponse.serialize),
        "GetJob": unary(scheduler.get_job, types.GetJobRequest.deserialize, job),
        "PauseJob": unary(scheduler.pause_job, types.PauseJobRequest.deserialize, job),
        "ResumeJob": unary(scheduler.resume_job, types.ResumeJobRequest.deserialize, job),
        "RunJob": unary(scheduler.run_job, types.RunJobRequest.deserialize, job),
    }
    async with serving({SERVICE: methods}, scheduler.faults) as host:
        yield host
