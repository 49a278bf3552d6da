"""Notices for the channels' tests: an ordinary one, and any at all, with what users' event names hold."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import get_args

from hypothesis import strategies as st

from hedgerow.channels.notice import Link, Mood, Notice

AT = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
BASE = "https://hedgerow.example/v1/pages/"

DROP = Notice(
    key="ntf_drop-1",
    mood="firing",
    severity="critical",
    title="Payment failure rate 7.8 %, usually 2.1–3.4 % on Fridays",
    at=AT,
    facts=(("Since", "Fri 20 Nov, 14:00"), ("Sure", "complete data, 3 of 3 evaluations")),
    links=(Link("Acknowledge", f"{BASE}ack.sig"), Link("Open the rule", f"{BASE}rule.sig")),
    chart_url="https://hedgerow.example/v1/charts/c.sig.png",
    kind="incident.opened",
    body={"incident_id": "inc_1", "value": 7.8},
)

HOSTILE = (
    "<!channel> <!everyone> <@U024BE7LH> <#C024BE7LR> <https://evil.example|here>",
    "*bold* _it_ ~gone~ `code` ```block```",
    "@everyone @here <@&41771983423143936> <:kappa:1> ||hidden||",
    "[x](javascript:alert(1)) ![i](https://evil.example/i.png)",
    "<at>Everybody</at> </at> <users/all> <b>b</b> <a href='https://evil.example'>a</a>",
    "one\ntwo\r\n# three\n> four\n- five\u2028six",
    "\u202eevil\u202c \u200f\u2067x\u2069 \u0000\u0007\ud800 zero\u200bwidth",
    "{{DATE(2026-02-14T06:00:00Z, SHORT)}} &amp; &lt;!channel&gt; \\ \" ' %s {0}",
    "a_very_long_event_name_" * 450,
    "many words that go on and on " * 345,
    "🔥" * 5_000,
    "名前" * 5_000,
    "",
    "   ",
)

texts = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(max_size=200),
    st.text(alphabet=st.characters(), min_size=200, max_size=4_000),
    st.lists(st.sampled_from(HOSTILE), min_size=2, max_size=4).map("".join),
)
urls = st.one_of(
    st.sampled_from([f"{BASE}x.sig", "javascript:alert(1)", "", "https://", "http://[::1", f"{BASE}{'x' * 2_900}"]),
    st.text(max_size=60).map(lambda end: BASE + end),
)
moods: tuple[Mood, ...] = get_args(Mood)
notices = st.builds(
    Notice,
    key=st.text(max_size=80),
    mood=st.sampled_from(moods),
    severity=st.sampled_from(["info", "warning", "critical"]),
    title=texts,
    at=st.just(AT),
    facts=st.lists(st.tuples(texts, texts), max_size=60).map(tuple),
    links=st.lists(st.builds(Link, texts, urls), max_size=40).map(tuple),
    chart_url=st.none() | urls,
    beside=st.just("") | texts,
    kind=st.just("incident.opened"),
    body=st.just({}),
)
