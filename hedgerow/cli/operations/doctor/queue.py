"""Is every topic of the manifest carried, what waits in it, and where does what fails go?"""

from __future__ import annotations

import asyncio
import shlex
from typing import TYPE_CHECKING

from functions.api.routes import targets
from hedgerow.cli.operations.doctor.case import DAMAGED, LONG_DUE, NO_RIGHTS
from hedgerow.cli.operations.doctor.findings import counted, fine, found, some
from hedgerow.cli.operations.place import is_served
from hedgerow.errors import HedgerowError, TransientError
from hedgerow.pushes import DEAD_TOPIC, MOST_ATTEMPTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hedgerow.cli.operations.doctor.case import Case
    from hedgerow.cli.operations.doctor.findings import Finding
    from hedgerow.inspection import Backlog, Subscription, Topic

APPLY = "terraform apply"


async def check(case: Case) -> list[Finding]:
    """One finding for each fault of each topic."""
    names = sorted(each.topic for each in targets().values() if each.topic)
    try:
        topics, (backlog, unknown) = await asyncio.gather(case.inspection.topics(names), _backlog(case))
    except TransientError as error:
        if error.code == NO_RIGHTS:
            raise  # Ours, not the functions': nothing is known of the queue.
        command = _aside(case) if error.code == DAMAGED else error.hint
        return [found("queue.unreachable", case.settings.queue, error.detail, command=command)]
    findings = [*_unseen(case, topics), *(each for topic in topics for each in _faults(case, topic))]
    findings += [*unknown, *(each for name in names for each in _stuck(case, name, (backlog or {}).get(name)))]
    if findings:
        return findings
    if backlog is None:
        return [fine("queue", f"{counted(len(topics), 'topic')}; how long messages wait, the emulator does not tell")]
    waiting = sum(each.waiting for each in backlog.values())
    return [fine("queue", f"{counted(len(topics), 'topic')}, {counted(waiting, 'message')} waiting")]


async def _backlog(case: Case) -> tuple[Mapping[str, Backlog] | None, list[Finding]]:
    """What waits; or why Cloud Monitoring does not say, which hides nothing else."""
    try:
        return await case.inspection.backlog(case.now), []
    except HedgerowError as error:
        if case.settings.queue == "embedded":
            raise  # It is the queue itself that was asked.
        what = f"How long messages have waited could not be seen: {error.detail}"
        return {}, [found("unknown", "backlog", what, command=error.hint)]


def _unseen(case: Case, topics: tuple[Topic, ...]) -> list[Finding]:
    """Where this account may not read who has which rights, nothing says that dead letters arrive."""
    hidden = [
        each.name for each in topics if (there := each.subscription) and there.dead_topic and there.may_bury is None
    ]
    if not hidden or case.settings.pubsub_emulator:
        return []
    what = f"Whether Pub/Sub may move what it gives up to the dead topic could not be seen for {some(hidden)}."
    command = (
        "Your account needs pubsub.topics.getIamPolicy and pubsub.subscriptions.getIamPolicy: "
        "docs/operations/google-errors.md has the roles."
    )
    return [found("unknown", "rights of Pub/Sub", what, command=command)]


def _faults(case: Case, topic: Topic) -> list[Finding]:
    if case.settings.queue == "embedded":
        return []
    if not topic.exists:
        what = "The topic does not exist: what is published there fails."
        return [found("queue.topic_missing", topic.name, what, command=_make(case))]
    if topic.subscription is None:
        what = "The topic has no subscription: what is published there is lost."
        return [found("queue.subscription_missing", topic.name, what, command=_make(case))]
    return _faults_of(case, topic.name, topic.subscription)


def _faults_of(case: Case, name: str, subscription: Subscription) -> list[Finding]:
    findings: list[Finding] = []
    if name != DEAD_TOPIC and not subscription.dead_topic:
        what = "Its subscription has no dead letter policy: a message that can never succeed slows all others for days."
        findings.append(found("queue.no_dead_letter", name, what, command=_make(case)))
    elif subscription.may_bury is False:
        what = (
            "Pub/Sub may not publish to the dead topic, or not take from this subscription: nothing is ever given up."
        )
        findings.append(found("queue.cannot_bury", name, what, command=_make(case)))
    if not subscription.endpoint:
        what = "Its subscription pushes to nobody."
        findings.append(found("queue.subscription_missing", name, what, command=_make(case)))
    elif not case.settings.pubsub_emulator and not subscription.account:
        what = "Pushes carry no service account's token, which the function behind IAM demands."
        findings.append(found("queue.anonymous_push", name, what, command=_make(case)))
    return findings


def _stuck(case: Case, topic: str, backlog: Backlog | None) -> list[Finding]:
    if backlog is None or backlog.oldest_at is None or backlog.oldest_at > case.now - LONG_DUE:
        return []
    failed = f"; one failed {backlog.failures} of {MOST_ATTEMPTS} times" if backlog.failures else ""
    what = f"{counted(backlog.waiting, 'message')} waiting{failed}."
    command = (
        f"hedgerow dev --data {shlex.quote(str(case.settings.data))}, if it does not run; else its log has the reason"
    )
    if case.settings.queue == "pubsub":
        command = f"The log has the reason: {_log(case, topic)}"
    return [found("queue.stuck", topic, what, since=backlog.oldest_at, command=command)]


def _log(case: Case, topic: str) -> str:
    """The command that shows the errors of the function a topic's messages are pushed to."""
    target = next(name for name, each in targets().items() if each.topic == topic)
    service = f"hedgerow-{target}".replace("_", "-")
    asked = f'resource.labels.service_name="{service}" severity>=ERROR'
    return f"gcloud logging read {shlex.quote(asked)} --project {case.settings.project} --freshness 1h"


def _aside(case: Case) -> str:
    folder = shlex.quote(str(case.settings.data))
    return (
        f"Stop the server; mkdir {folder}/damaged; mv {folder}/queue.db* {folder}/damaged/; start it: what the messages "
        "asked for is in the records, and the ticks find it (docs/operations/restore.md)."
    )


def _make(case: Case) -> str:
    if case.settings.pubsub_emulator:
        command = f"hedgerow dev --emulators --data {shlex.quote(str(case.settings.data))}"
        # One that runs made its topics when it began, in an emulator that has ended since.
        return f"End the server, then: {command}" if is_served(case.settings.data) else command
    return APPLY
