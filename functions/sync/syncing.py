"""One sync run, from the claim to the commit that ends it.

Claim the run and the project's slot; one round trip to PostHog; store only what moved;
announce; then commit the run and the connection's next due time together. Every line
may die: the message or a tick brings the run back, and a second visit finds the points
stored and only finishes.
"""

from __future__ import annotations

from collections.abc import Mapping

from functions.sync import asking, claiming, measured, outcomes, recording, rezoning, storing
from functions.sync.answers import Facts
from functions.sync.asking import Answer, Asked, Names
from functions.sync.claiming import Held
from functions.sync.visit import TRIES, LostError, RekeyedError, Visit
from functions.sync.windows import ask_of
from hedgerow import days, measure_hogql, tiers, traces
from hedgerow.app import App
from hedgerow.catalogue import EVENT_PREFIX, FLAG_PREFIX
from hedgerow.errors import ConflictError, HedgerowError, OutboundError, SecretGoneError
from hedgerow.logs import bound, log
from hedgerow.messages import SyncRequested
from hedgerow.posthog.client import PostHog


class CrashedError(HedgerowError):
    """A bug: the log has the traceback."""

    code = "internal"
    hint = "It is tried again a few times; if it stays, the server's log has the reason."
    transient = True


async def sync(app: App, message: SyncRequested) -> None:
    """Do what the message asks, if it is still to be done."""
    held = await claiming.take(app, message)
    if held is None:
        return
    # A run that a tick found again goes on in the trace it was asked for in.
    with (
        traces.going_on(held.run.traceparent),
        bound(tenant_id=held.run.tenant_id, connection_id=held.connection.id, run_id=held.run.id),
    ):
        await _sync(app, held)


async def _sync(app: App, held: Held) -> None:
    every = tiers.interval(held.connection, tiers.load(app.settings.tiers_file))
    visit = Visit(app, held, ask_of(held.connection, held.run, app.now(), every))
    try:
        for _ in range(TRIES):
            try:
                return await _attempt(visit)
            except RekeyedError as rekeyed:
                log().info("sync.rekeyed", detail=rekeyed.detail)
        raise ConflictError("The connection's key was replaced too often while PostHog was asked with it.")
    except LostError as lost:
        log().info("sync.lost", detail=lost.detail)


async def _attempt(visit: Visit) -> None:
    """Ask and store, and end the run, whichever way it went."""
    try:
        await _run(visit)
    except (OutboundError, SecretGoneError) as error:
        await recording.finish(visit, error)
    except outcomes.REFUSED as error:
        # Asking PostHog the same again would be refused again: the run is over, and its connection says so.
        log().error("sync.refused", code=error.code, detail=error.detail)
        await recording.finish(visit, error)
    except HedgerowError:
        raise
    except Exception:
        # A bug of ours must neither hold the project's slot nor run for ever.
        log().exception("sync.crashed")
        await recording.finish(visit, CrashedError("Hedgerow failed on this run."))


async def _run(visit: Visit) -> None:
    app, connection = visit.app, visit.connection
    visit.asked_with = connection.secret_ref
    key = await app.vault.read(connection.secret_ref or "")
    posthog = PostHog(app.http, connection.host, key, seconds=app.settings.query_seconds)
    try:
        asked = await _answers(visit, posthog)
        active = await _listed(visit, posthog)
    finally:
        visit.requests += posthog.requests
    if asked is not None:
        await recording.store(visit, asked, active)
    await recording.finish(visit, asked or Asked(Facts()), active)


async def _listed(visit: Visit, posthog: PostHog) -> int | None:
    """How many flags are active, when they are due to be listed; None where the key may not know.

    The metrics do without: a listing that is refused or fails costs the sync nothing but
    a gap in one series.
    """
    if not visit.ask.list_flags:
        return None
    try:
        return await posthog.active_flags(visit.connection.project_id or "")
    except OutboundError as error:
        log().warning("sync.flags_not_listed", connection_id=visit.connection.id, code=error.code, detail=error.detail)
        visit.listing_refused = not error.transient
        return None


async def _answers(visit: Visit, posthog: PostHog) -> Asked | None:
    """What PostHog said; None when a re-sync finds that PostHog has nothing left of its days."""
    if visit.run.kind == "rezone":
        clipped = await rezoning.clip(visit, posthog)
        if clipped is None:
            return None
        visit.ask = clipped
    await visit.read_months()
    asked = await _ask(visit, posthog)
    zone = asked.timezone
    if zone is None or zone == visit.ask.zone or not days.zone_exists(zone):
        return asked
    rezoning.refuse_unsteady(visit, zone)
    log().info("sync.zone_moved", connection_id=visit.connection.id, old=visit.ask.zone, new=zone)
    await rezoning.move(visit, zone)
    every = tiers.interval(visit.connection, tiers.load(visit.app.settings.tiers_file))
    visit.ask = ask_of(visit.connection, visit.run, visit.app.now(), every)
    await visit.read_months()
    return await _ask(visit, posthog)


async def _ask(visit: Visit, posthog: PostHog) -> Asked:
    connection, progress = visit.connection, visit.connection.progress
    # PostHog refused to say how late events come: that is tried again now and then, with the heavy families.
    refused = progress.asked_at is not None and not progress.arrivals
    question = asking.question_of(
        visit.ask,
        _names(visit),
        visit.app.settings.new_users_days,
        visit.app.now(),
        arrivals=not refused or visit.ask.heavy is not None,
    )

    async def send(hogql: str, values: Mapping[str, object], /) -> Answer:
        return await posthog.query(connection.project_id or "", hogql, values, name=asking.QUERY_NAME)

    async def renew() -> None:
        try:
            visit.held = await claiming.renew(visit.app, visit.held)
        except ConflictError as conflict:
            await visit.still_ours(conflict)

    return await asking.ask_all(
        send, question, renew, by_family=progress.by_family, days_per_query=progress.days_per_query
    )


def _names(visit: Visit) -> Names:
    """What has points already in the days asked about is measured again, ranked or not."""
    connection, held = visit.connection, visit.months()
    spans = [span for span in (visit.ask.window, visit.ask.again) if span is not None]
    events = dict.fromkeys((*connection.events, *storing.tracked(held, spans, EVENT_PREFIX)))
    flags = storing.flag_keys(storing.tracked(held, spans, FLAG_PREFIX))
    measures = measure_hogql.each_once(connection.measures)
    return Names(tuple(events), flags, measures, measured.parts_of(measures, held, spans))
