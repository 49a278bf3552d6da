"""Making a form as small as its service takes: facts go first, then links, then the chart; the sentence stays."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace

from hedgerow.channels.notice import Link, Notice
from hedgerow.channels.wording import fitted, web_address

Form = dict[str, object]

MOST_FACTS = 20
MOST_LINKS = 20
# No service takes more of a title or a fact; read once, and not again for every smaller form.
_LONGEST = 1_600
_BESIDE = 80
_FEWER_FACTS = (MOST_FACTS, 16, 12, 8, 5, 3, 0)


def encoded(form: Form) -> bytes:
    """The bytes that are sent, and counted."""
    return json.dumps(form, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def fitting(
    notice: Notice,
    write: Callable[[Notice], Form],
    most: int,
    *,
    longest_url: int,
    weigh: Callable[[Form], int] = lambda form: len(encoded(form)),
) -> Form:
    """The fullest form that weighs at most `most`. `write` must keep a bare title within it."""
    form: Form = {}
    for smaller in _smaller(_tidied(notice, longest_url)):
        form = write(smaller)
        if weigh(form) <= most:
            break
    return form


def _tidied(notice: Notice, longest: int) -> Notice:
    links = [(link.label, web_address(link.url, longest)) for link in notice.links]
    facts = [(fitted(label, _LONGEST), fitted(value, _LONGEST)) for label, value in notice.facts[:MOST_FACTS]]
    return replace(
        notice,
        title=fitted(notice.title, _LONGEST),
        beside=fitted(notice.beside, _BESIDE) if notice.beside else "",
        # The rest is only counted.
        facts=(*facts, *notice.facts[MOST_FACTS:]),
        links=tuple(Link(label, url) for label, url in links if url)[:MOST_LINKS],
        chart_url=web_address(notice.chart_url, longest) if notice.chart_url else None,
    )


def _smaller(notice: Notice) -> Iterator[Notice]:
    for most in _FEWER_FACTS:
        if most == MOST_FACTS or most < len(notice.facts):
            yield replace(notice, facts=_first(notice.facts, most))
    bare = replace(notice, facts=())
    for most in range(len(notice.links) - 1, -1, -1):
        yield replace(bare, links=notice.links[:most])
    yield replace(bare, links=(), chart_url=None)


def _first(facts: tuple[tuple[str, str], ...], most: int) -> tuple[tuple[str, str], ...]:
    if len(facts) <= most:
        return facts
    if most == 0:
        return ()
    return (*facts[: most - 1], ("…", f"{len(facts) - most + 1} more"))
