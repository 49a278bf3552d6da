"""The manifest's schedules, named as Terraform names Cloud Scheduler's jobs; what the `Schedules` port is told of them."""

from __future__ import annotations

from functions.api.routes import targets
from hedgerow.ports import Planned


def planned(prefix: str) -> tuple[Planned, ...]:
    """Every schedule: `prefix`, the target with dashes, and the tier where the body has one."""
    return tuple(
        Planned(
            name=prefix + "-".join(filter(None, (target.name.replace("_", "-"), schedule.body.get("tier")))),
            cron=schedule.cron,
            target=target.name,
            body=schedule.body,
        )
        for target in targets().values()
        for schedule in target.schedules
    )
