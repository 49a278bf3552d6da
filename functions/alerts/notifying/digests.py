"""The digest: what a channel over its budget was spared, the least useful rules first, and which of them to delete. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from functions.alerts.notifying.wording import MOST_LISTED
from functions.alerts.records import AlertRule, Channel, Incident, Notification
from hedgerow.channels.notice import Notice

FEW = 5
"""So many incidents that nobody reacted to are reason enough to delete a rule."""


@dataclass(frozen=True, slots=True)
class Worth:
    """What a rule's incidents were worth: `share` 0 to 1 of those anybody said or did something about."""

    rule_id: str
    name: str
    incidents: int
    open: int
    acknowledged: int
    useful: int
    useless: int

    @property
    def share(self) -> float:
        """Judged useful or acknowledged; unheard of ones count a little, so that one bad word does not rank a new rule last."""
        said = self.useful + self.useless
        return (self.useful + self.acknowledged + 0.5) / (said + self.incidents + 1)

    @property
    def deserves_deletion(self) -> bool:
        """More people called it useless than useful, or nobody ever reacted to it."""
        if self.useless > self.useful:
            return True
        return self.useful == 0 and self.acknowledged == 0 and self.incidents >= FEW


def ranked(incidents: Sequence[Incident], rules: Mapping[str, AlertRule]) -> list[Worth]:
    """The rules of these incidents, the least useful first."""
    worths: list[Worth] = []
    for rule_id in dict.fromkeys(one.rule_id for one in incidents):
        own = [one for one in incidents if one.rule_id == rule_id]
        rule = rules.get(rule_id)
        worths.append(
            Worth(
                rule_id=rule_id,
                name=own[0].rule_name,
                incidents=len(own),
                open=sum(one.state == "open" for one in own),
                acknowledged=sum(one.acknowledged_at is not None for one in own),
                useful=rule.useful if rule is not None else 0,
                useless=rule.useless if rule is not None else 0,
            )
        )
    return sorted(worths, key=lambda worth: (worth.share, -worth.incidents, worth.name))


def digest_notice(lead: Notification, channel: Channel, worths: Sequence[Worth], *, now: datetime) -> Notice:
    """One message for all of them."""
    total = sum(worth.incidents for worth in worths)
    title = (
        f"{total} {'incident was' if total == 1 else 'incidents were'} not told one by one: "
        f"this channel is above its {channel.weekly_budget or 0} messages a week."
    )
    facts = [(worth.name, _line(worth)) for worth in worths[:MOST_LISTED]]
    if len(worths) > MOST_LISTED:
        facts.append(("And", f"{len(worths) - MOST_LISTED} more rules"))
    delete = [worth.name for worth in worths if worth.deserves_deletion]
    if delete:
        facts.append(("Delete or change", ", ".join(delete[:MOST_LISTED])))
    return Notice(
        key=lead.id,
        mood="digest",
        severity="info",
        title=title,
        at=now,
        facts=tuple(facts),
        kind="digest",
        body={"incidents": total, "rules": [worth.rule_id for worth in worths], "delete": delete},
    )


def _line(worth: Worth) -> str:
    parts = [f"{worth.incidents} {'incident' if worth.incidents == 1 else 'incidents'}"]
    parts.append("all over" if not worth.open else f"{worth.open} still open")
    parts.append(f"{worth.acknowledged} acknowledged")
    if worth.useful or worth.useless:
        parts.append(f"called useful {worth.useful} ×, useless {worth.useless} ×")
    return ", ".join(parts)
