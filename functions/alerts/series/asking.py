"""The series of a spec straight from PostHog, for a back-test of what is not stored yet. Stores nothing."""

from __future__ import annotations

from datetime import date

from functions.alerts.conditions.series import Series
from functions.alerts.series import answering, partial
from functions.alerts.series.answering import Question, Rows
from functions.alerts.series.measuring import merge_measures, parts_of
from functions.alerts.series.sources import Source, grain_of, measure_of
from functions.alerts.spec import BacklogSeries, FlagSeries, Plain, SeriesSpec, SyncSeries
from hedgerow import days
from hedgerow.app import App
from hedgerow.errors import InvalidError
from hedgerow.models import Connection
from hedgerow.ownership import may_ask
from hedgerow.posthog.client import PostHog
from hedgerow.turns import turn

LONGEST_DAYS = 1_100
MOST_QUERIES = 12
QUERY_NAME = "hedgerow back-test"


async def ask(app: App, connection: Connection, spec: SeriesSpec, first: date, last: date) -> list[Series]:
    """The series over local days, both included, as PostHog tells them now; days to come are left out.

    In as few queries as PostHog's limit of rows allows, each in a turn of its own at the
    project's query slot. The values of a breakdown are the most frequent of the whole span.
    `InvalidError` for a series that events alone do not tell, and for too long a span;
    `StateConflictError` when the connection may not ask, or somebody else is asking;
    `OutboundError` when PostHog gave no answer.
    """
    if isinstance(spec, SyncSeries | BacklogSeries | FlagSeries):
        raise _not_askable(f"A series of kind `{spec.kind}` is not counted from events by PostHog.")
    sources = [_source(plain) for plain in parts_of(spec)]
    may_ask(connection)
    now = app.now()
    last = min(last, days.today(now, connection.timezone))
    measures = merge_measures([("", [source.measure]) for source in sources if source.measure is not None])
    question = Question(measures, connection.timezone, first, last, now)
    pieces = question.pieces()
    if not pieces or (last - first).days >= LONGEST_DAYS or len(pieces) > MOST_QUERIES:
        raise _bad_span(question, len(pieces))
    rows: Rows = {}
    key = await app.vault.read(connection.secret_ref or "")
    posthog = PostHog(app.http, connection.host, key, seconds=app.settings.query_seconds)
    for begin, end in pieces:
        values = answering.values_of(question, begin, end)
        async with turn(app, connection, again="Back-test again"):
            answer = await posthog.query(
                connection.project_id or "", answering.text_of(question), values, name=QUERY_NAME
            )
        answering.take(rows, answer, connection.timezone)
    held = [answering.held(source, question, rows, connection.progress) for source in sources]
    return partial.seen(spec, held, zone=connection.timezone, now=now)


def _source(plain: Plain) -> Source:
    measure = measure_of(plain, anyway=True)
    if measure is None:
        raise _not_askable(f"`{getattr(plain, 'name', plain.kind)}` is not counted by a measure.")
    return Source(measure.series(""), grain_of(plain), measure)


def _not_askable(detail: str) -> InvalidError:
    return InvalidError(
        detail,
        code="not_askable",
        hint="Back-test it on the days that are stored: `hedgerow sync --from DAY --to DAY`, or POST /v1/connections/{id}/refresh, brings older days of metrics.",
        members={"field": "series"},
    )


def _bad_span(question: Question, pieces: int) -> InvalidError:
    length = (question.last - question.first).days + 1
    if length < 1:
        return InvalidError(
            "No day lies between the first and the last.",
            code="window_empty",
            hint="Give a first day that is before the last, and not after today.",
            members={"field": "from"},
        )
    return InvalidError(
        f"{length} days of this series would take {pieces} queries; {LONGEST_DAYS} days and {MOST_QUERIES} queries are the most.",
        code="window_too_long",
        hint="Ask for fewer days, by day instead of by hour, or without the breakdown.",
        members={"field": "from"},
    )
