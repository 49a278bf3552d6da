"""Which messages died, by topic, and which redeliveries were broken off?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hedgerow.cli.operations.dead import letters, redelivering
from hedgerow.cli.operations.doctor.case import LOOKED_AT
from hedgerow.cli.operations.doctor.findings import counted, fine, found, some

if TYPE_CHECKING:
    from hedgerow.cli.operations.doctor.case import Case
    from hedgerow.cli.operations.doctor.findings import Finding
    from hedgerow.dead_letters import DeadMessage


async def check(case: Case) -> list[Finding]:
    """One finding for each topic and way to deal with it, among the newest few hundred."""
    newest, more = await letters.newest(case.app.store, None, LOOKED_AT)
    by_topic: dict[tuple[str, bool], list[DeadMessage]] = {}
    broken: list[DeadMessage] = []
    for each in newest:
        state = letters.state_of(each)
        if state == "dead":
            by_topic.setdefault((each.topic, redelivering.refusal(each) is None), []).append(each)
        elif state == "redelivering":
            broken.append(each)
    findings = [_of_topic(topic, dead, may, more) for (topic, may), dead in by_topic.items()]
    if broken:
        ids = [each.id for each in broken]
        what = f"A redelivery of {some(ids)} was broken off; publishing it again is harmless."
        command = f"hedgerow dead redeliver {' '.join(ids[:5])}"
        findings.append(found("dead.half_redelivered", ids[0], what, since=broken[-1].redelivering_at, command=command))
    return findings or [fine("dead messages", "none waits for a person")]


def _of_topic(topic: str, dead: list[DeadMessage], may_be_redelivered: bool, more: bool) -> Finding:
    number = counted(len(dead), "dead message", more=more)
    first = dead[0]
    if may_be_redelivered:
        what = f"{number}; the newest ({first.code}): {first.reason}"
        command = f"hedgerow dead list --topic {topic}; mend the cause, then hedgerow dead redeliver --topic {topic}"
    else:
        as_kept = "it is" if len(dead) == 1 and not more else "they are"
        what = f"{number} that cannot be published again as {as_kept}; the newest ({first.code}): {first.reason}"
        command = f"hedgerow dead show {first.id}; then hedgerow dead drop {first.id}, or redeliver it with --body FILE"
    return found("dead.messages", topic, what, since=dead[-1].at, command=command)
