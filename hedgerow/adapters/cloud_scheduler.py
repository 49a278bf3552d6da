"""`Schedules` on Cloud Scheduler: the jobs of one region whose names begin with a prefix.

It lists, pauses, resumes and runs; jobs are made and changed by Terraform alone.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from hedgerow.adapters.google_clients import ClientPerLoop, open_transport, patience, plain_instant
from hedgerow.adapters.google_errors import APPLY, Service
from hedgerow.errors import MissingError, StateConflictError
from hedgerow.ports import Job

if TYPE_CHECKING:
    from google.cloud.scheduler_v1 import CloudSchedulerAsyncClient
    from google.cloud.scheduler_v1 import types as scheduler

    from hedgerow.ports import JobState

PAGE_JOBS = 100
# As google/rpc/code.proto maps them. Which of several statuses the target gave is lost on the way (unverified),
# unless the sentence beside the code has it.
HTTP_OF_CODE = {
    0: 200, 1: 499, 2: 500, 3: 400, 4: 504, 5: 404, 6: 409, 7: 403, 8: 429,
    9: 400, 10: 409, 11: 400, 12: 501, 13: 500, 14: 503, 15: 500, 16: 401,
}  # fmt: skip
SAID_STATUS = re.compile(r"code number = (\d{3})")
UTC_ZONES = frozenset({"", "UTC", "utc", "Etc/UTC"})


class CloudSchedules:
    """The jobs `prefix`… of `project` in `region`.

    `emulator_host` names a server that takes plain text without credentials, for tests:
    Google has no emulator of Cloud Scheduler.
    """

    def __init__(
        self, project: str, region: str, prefix: str = "hedgerow-", *, emulator_host: str | None = None
    ) -> None:
        self._parent = f"projects/{project}/locations/{region}"
        self._prefix = prefix
        self._emulator_host = emulator_host
        self._service = Service(
            name="Cloud Scheduler",
            api="cloudscheduler.googleapis.com",
            project=project,
            place=f"region {region}",
            setting="HEDGEROW_REGION",
            emulator=emulator_host,
        )
        self._clients = ClientPerLoop(self._connect)

    async def list(self) -> tuple[Job, ...]:
        """Every schedule, by name, over as many pages as there are."""
        with self._service.errors(self._parent):
            pages = await self._clients.get().list_jobs({"parent": self._parent, "page_size": PAGE_JOBS}, **patience())
            jobs = [job async for job in pages if _id(job).startswith(self._prefix)]
        return tuple(sorted((_job(job, self._prefix) for job in jobs), key=lambda job: job.name))

    async def pause(self, name: str) -> None:
        """Have Cloud Scheduler call it no more."""
        await self._turn(name, "pause_job", "PAUSED")

    async def resume(self, name: str) -> None:
        """Have Cloud Scheduler call it again."""
        await self._turn(name, "resume_job", "ENABLED")

    async def run(self, name: str) -> None:
        """Have Cloud Scheduler call it now. A lost answer may make that two calls: ticks bear both."""
        with self._service.errors(name):
            await self._ask(name, "run_job")

    async def close(self) -> None:
        """Close the channel of this event loop."""
        await self._clients.close()

    async def _turn(self, name: str, call: str, wanted: str) -> None:
        from google.api_core.exceptions import FailedPrecondition

        with self._service.errors(name):
            try:
                await self._ask(name, call)
            except FailedPrecondition as error:
                # It refuses what is so already, as after an answer that was lost.
                job = await self._clients.get().get_job({"name": self._path(name)}, **patience())
                if job.state.name != wanted:
                    raise StateConflictError(
                        f"Cloud Scheduler has {name} as {job.state.name}: {error.message}",
                        hint=f"Run {APPLY}: it makes the job anew.",
                    ) from error

    async def _ask(self, name: str, call: str) -> None:
        from google.api_core.exceptions import NotFound

        try:
            await getattr(self._clients.get(), call)({"name": self._path(name)}, **patience())
        except NotFound as error:
            raise MissingError(
                f"Cloud Scheduler has no job {name} in {self._service.place}.",
                hint=f"`hedgerow schedules list` has their names; {APPLY} makes what is missing.",
            ) from error

    def _path(self, name: str) -> str:
        return f"{self._parent}/jobs/{name}"

    def _connect(self) -> CloudSchedulerAsyncClient:
        from google.cloud.scheduler_v1 import CloudSchedulerAsyncClient
        from google.cloud.scheduler_v1.services.cloud_scheduler.transports import CloudSchedulerGrpcAsyncIOTransport

        return CloudSchedulerAsyncClient(
            transport=open_transport(CloudSchedulerGrpcAsyncIOTransport, self._emulator_host)
        )


def _job(job: scheduler.Job, prefix: str) -> Job:
    name = _id(job)
    return Job(
        name=name,
        cron=job.schedule if job.time_zone in UTC_ZONES else f"{job.schedule} in {job.time_zone}",
        target=_target(name.removeprefix(prefix), job.http_target.body),
        state=_state(job),
        last_at=plain_instant(job.last_attempt_time),
        last_status=_status(job),
        next_at=plain_instant(job.schedule_time) if _state(job) in {"enabled", "failing"} else None,
    )


def _state(job: scheduler.Job) -> JobState:
    state = job.state.name
    if state == "PAUSED":
        return "paused"
    if state == "ENABLED":
        return "failing" if job.status.code else "enabled"
    # DISABLED: Google has stopped it for an error. UPDATE_FAILED: it may not run at all.
    return "failing" if state == "DISABLED" else "unknown"


def _status(job: scheduler.Job) -> int | None:
    if not job.last_attempt_time:
        return None
    said = SAID_STATUS.search(job.status.message)
    return int(said[1]) if said else HTTP_OF_CODE.get(job.status.code, 500)


def _target(shortened: str, body: bytes) -> str:
    try:
        tier = json.loads(body or b"{}").get("tier", "")
    except (ValueError, AttributeError):
        tier = ""
    return shortened.removesuffix(f"-{tier}" if tier else "").replace("-", "_")


def _id(job: scheduler.Job) -> str:
    return str(job.name.rsplit("/", 1)[-1])
