"""The guards of a connection: how they stand, in sentences and counts, and how they are changed.

A change names what it changes; everything else stays. Which words are valid is decided by the rules' own types.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from functions.capture.guards.hash_keys import key_of
from functions.capture.guards.privacy import needs_key
from hedgerow.app import App
from hedgerow.capture_rules import (
    PRIVACY_KINDS,
    CaptureRules,
    MergeRules,
    PrivacyAction,
    PrivacyKind,
    PrivacyRules,
)
from hedgerow.errors import ConflictError, InvalidError, StateConflictError
from hedgerow.models import Connection
from hedgerow.ports import Add, Swap, Where
from hedgerow.tallies import CaptureCount

COUNTED = timedelta(hours=24)
MOST_EXEMPT = 200
LONGEST_NAME = 200
_PAGE = 200
_TRIES = 4

_KINDS: dict[PrivacyKind, str] = {
    "email": "E-mail addresses",
    "phone": "Phone numbers",
    "card": "Card numbers",
    "iban": "IBANs",
    "ip": "IP addresses",
    "secret": "Secrets (keys, tokens, passwords)",
}
_ACTIONS: dict[PrivacyAction, str] = {
    "off": "are not looked for.",
    "report": "in event properties are counted and left as they are.",
    "mask": "in event properties are made unreadable; the text around them stays.",
    "hash": "in event properties become a keyed hash, the same for equal values.",
    "drop": "take the event property they stand in away; in a list, the element.",
}


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PrivacyChange(_Form):
    """What changes of the privacy guard. `actions` changes the kinds it names, `exempt` replaces the list."""

    actions: dict[PrivacyKind, PrivacyAction] | None = None
    identity: Literal["keep", "hash"] | None = None
    exempt: tuple[str, ...] | None = Field(default=None, max_length=MOST_EXEMPT)
    no_ip: bool | None = None


class MergesChange(_Form):
    """What changes of the merge guard."""

    on: bool | None = None
    most_ids: int | None = Field(default=None, ge=2, le=10_000)


class GuardsChange(_Form):
    """What changes; a part that is left out stays as it is."""

    privacy: PrivacyChange | None = None
    merges: MergesChange | None = None


class PrivacyShown(BaseModel):
    """The privacy guard. `sentences` say what it does, `counts` what it did."""

    actions: dict[PrivacyKind, PrivacyAction]
    identity: Literal["keep", "hash"]
    exempt: tuple[str, ...]
    no_ip: bool
    sentences: list[str]
    counts: dict[str, int] = Field(description="Findings of the last 24 hours, such as email.reported: 12.")


class MergesShown(BaseModel):
    """The merge guard."""

    on: bool
    most_ids: int
    sentences: list[str]
    counts: dict[str, int]


class Guards(BaseModel):
    """Both guards of a connection."""

    privacy: PrivacyShown
    merges: MergesShown


async def show(app: App, connection: Connection) -> Guards:
    """How both stand, with what they counted in the last 24 hours."""
    rules = await app.store.get(CaptureRules, connection.id)
    privacy, merges = (rules.privacy, rules.merges) if rules else (PrivacyRules(), MergeRules())
    counts = await _counts(app, connection)
    return Guards(
        privacy=PrivacyShown(
            actions={kind: privacy.actions.get(kind, "report") for kind in PRIVACY_KINDS},
            identity=privacy.identity,
            exempt=privacy.exempt,
            no_ip=privacy.no_ip,
            sentences=_privacy_in_words(privacy),
            counts=_part(counts, "privacy."),
        ),
        merges=MergesShown(
            on=merges.on,
            most_ids=merges.most_ids,
            sentences=_merges_in_words(merges, connection),
            counts=_part(counts, "merges."),
        ),
    )


async def change(app: App, connection: Connection, wanted: GuardsChange) -> None:
    """Make the change, and the key of keyed hashes where the rules now need one.

    `StateConflictError` when the connection is on its way out.
    """
    if connection.state in {"disconnecting", "disconnected"}:
        raise StateConflictError(
            f"The connection is {connection.state}.",
            code=f"connection_{connection.state}",
            hint="Connect the project again.",
        )
    _check_names(wanted)
    for _ in range(_TRIES):
        held = await app.store.get(CaptureRules, connection.id)
        rules = held or CaptureRules(id=connection.id, tenant_id=connection.tenant_id, connection_id=connection.id)
        changed = _changed(rules, wanted)
        try:
            if changed != rules or held is None:
                changed = (await app.store.commit(Swap(changed) if held else Add(changed))).of(changed)
        except ConflictError:
            continue  # The catalogue is in the same record.
        if needs_key(changed.privacy):
            await key_of(app, changed)
        return
    raise ConflictError("The rules of this connection are being changed by others.")


def _changed(rules: CaptureRules, wanted: GuardsChange) -> CaptureRules:
    privacy, merges = rules.privacy, rules.merges
    if wanted.privacy is not None:
        said = wanted.privacy.model_dump(exclude_none=True)
        if wanted.privacy.actions is not None:
            said["actions"] = {**privacy.actions, **wanted.privacy.actions}
        if wanted.privacy.exempt is not None:
            said["exempt"] = tuple(dict.fromkeys(wanted.privacy.exempt))
        privacy = privacy.model_copy(update=said)
    if wanted.merges is not None:
        merges = merges.model_copy(update=wanted.merges.model_dump(exclude_none=True))
    return rules.model_copy(update={"privacy": privacy, "merges": merges})


def _check_names(wanted: GuardsChange) -> None:
    for name in wanted.privacy.exempt or () if wanted.privacy else ():
        if not 0 < len(name) <= LONGEST_NAME:
            raise InvalidError(
                f"`privacy.exempt` holds a name that is empty or longer than {LONGEST_NAME} characters.",
                members={"field": "privacy.exempt"},
            )


def _privacy_in_words(rules: PrivacyRules) -> list[str]:
    sentences = [f"{_KINDS[kind]} {_ACTIONS[rules.actions.get(kind, 'report')]}" for kind in PRIVACY_KINDS]
    sentences.append(
        "Ids, and personal data in person properties, become a keyed hash, the same for every event of that person."
        if rules.identity == "hash"
        else "Ids and person properties are left as they are."
    )
    if rules.no_ip:
        sentences.append("The client's address is not added to events.")
    if rules.exempt:
        sentences.append(f"Never touched: {', '.join(rules.exempt)}.")
    return sentences


def _merges_in_words(rules: MergeRules, connection: Connection) -> list[str]:
    if not rules.on:
        return ["Off: merges go to PostHog as they come."]
    sentences = ["A merge with an id like undefined, null or 0 is held."]
    if connection.secret_ref is None or connection.project_id is None or not connection.activity_tracking:
        return [*sentences, "Every other merge passes: without a personal API key PostHog cannot be asked."]
    return [
        *sentences,
        (
            f"A merge of two identified persons, or one that gives a person more than {rules.most_ids} ids, is held; "
            "PostHog is asked before each merge is sent."
        ),
    ]


def _part(counts: Counter[str], prefix: str) -> dict[str, int]:
    return {name.removeprefix(prefix): number for name, number in sorted(counts.items()) if name.startswith(prefix)}


async def _counts(app: App, connection: Connection) -> Counter[str]:
    sums: Counter[str] = Counter()
    since = app.now() - COUNTED
    cursor: str | None = None
    while True:
        page = await app.store.find(
            CaptureCount,
            Where("connection_id", "==", connection.id),
            Where("hour", ">", since - timedelta(hours=1)),
            limit=_PAGE,
            cursor=cursor,
        )
        for record in page.items:
            sums.update(record.marks)
        cursor = page.next_cursor
        if cursor is None:
            return sums
