"""Which messages died, by topic, and which redeliveries were broken off?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hedgerow.cli.operations.dead import letters
from hedgerow.cli.operations.doctor.case import LOOKED_AT
from hedgerow.cli.operations.doctor.findings import counted, fine, found, some

if TYPE_CHECKING:
    from hedgerow.cli.operations.doctor.case import Case
    from hedgerow.cli.operations.doctor.findings import Finding
    from hedgerow.dead_letters import DeadMessage


async def check(case: Case) -> list[Finding]:
    """One finding for each topic, among the newest few hundred."""
    newest, more = await letters.newest(case.app.store, None, LOOKED_AT)
    by_topic: dict[str, list[DeadMessage]] = {}
    broken: list[DeadMessage] = []
    for each in newest:
        state = letters.state_of(each)
        if state == "dead":
            by_topic.setdefault(each.topic, []).append(each)
        elif state == "redelivering":
            broken.append(each)
    findings = [_of_topic(topic, dead, more) for topic, dead in by_topic.items()]
    if broken:
        ids = [each.id for each in broken]
        what = f"A redelivery of {some(ids)} was broken off; publishing it again is harmless."
        command = f"hedgerow dead redeliver {' '.join(ids[:5])}"
        findings.append(found("dead.half_redelivered", ids[0], what, since=broken[-1].redelivering_at, command=command))
    return findings or [fine("dead messages", "none waits for a person")]


def _of_topic(topic: str, dead: list[DeadMessage], more: bool) -> Finding:
    number = counted(len(dead), "dead message", more=more)
    what = f"{number}; the newest: {dead[0].reason}"
    command = f"hedgerow dead list --topic {topic}; mend the cause, then hedgerow dead redeliver --topic {topic}"
    return found("dead.messages", topic, what, since=dead[-1].at, command=command)
