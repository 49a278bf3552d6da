"""What keys, tokens and addresses that hold one look like, and how a text loses them.

Owns the shapes alone. Ordinary words stay, also `alpha_version` and `graphs_rendered`; what is
left of a text that was JSON is JSON still.
"""

from __future__ import annotations

import re
from functools import cache

_LEADS = r"%[0-9A-Fa-f]{2}", r"\\[bfnrtv0]", r"\\x[0-9A-Fa-f]{2}", r"\\u[0-9A-Fa-f]{4}"
"""Escapes whose last character is a letter or a digit, as quoted and encoded texts have them before a key."""


def _begins(width: int) -> str:
    """Looks back over the `width` characters just read: they are no word's end. `alpha_` and `graphs_` are words."""
    clear = [rf"(?<![A-Za-z0-9].{{{width}}})", *(rf"(?<={lead}.{{{width}}})" for lead in _LEADS)]
    return f"(?:{'|'.join(clear)})"


# Whatever stands before so many letters and digits without a break, they are no word.
_LONG = r"(?=[A-Za-z0-9]{24})"
_SLASH = r"(?:/|%2[Ff]|\\{1,2}/|\\{1,2}u002[Ff])"
# The letters of base64, also as addresses and JSON escape them.
_BODY = r"(?:[A-Za-z0-9_+/=-]|%2[BbFf]|%3[Dd]|\\{1,2}/|\\{1,2}u00(?:2[BbFf]|3[Dd]))"

_KEY = (
    rf"((?:ph[acersx]|hdg)_(?:{_begins(4)}|{_LONG})|xox[a-z]-{_begins(5)}|xapp-{_begins(5)}(?=\d)|whsec_{_begins(6)}"
    rf"|ya29\.{_begins(5)}|AIza{_begins(4)}(?=[A-Za-z0-9_-]{{30}}))"
    rf"{_BODY}{{6,}}"
)
_TOKEN = rf"(eyJ){_begins(3)}[A-Za-z0-9_-]{{6,}}\.[A-Za-z0-9_-]{{6,}}(?:\.[A-Za-z0-9_-]*)?"
_PRIVATE_KEY = r"(-----BEGIN [A-Z ]*PRIVATE KEY-----)(?:[^\"'\\-]|\\{1,2}[nr])*"
_USERINFO = (
    r"(:(?:\\{0,2}/){2})[^\s\"'<>\\/?#@:]{0,500}:[^\s\"'<>\\/?#@]{1,500}(?=@)"
    r"|(%3[Aa]%2[Ff]%2[Ff])[^\s\"'<>\\/?#@:%]{0,500}%3[Aa][^\s\"'<>\\/?#@:]{1,500}?(?=%40)"
)
_BEARER = r"([Aa]uthorization\W{1,8}(?:Basic|Bearer) |[Bb]earer (?=[\w.~+/=-]{20}))(?!ph._…)[A-Za-z0-9_.~+/=-]{6,}"
# Chat services' addresses let whoever has one post: after the host they are secrets.
_CHAT = (
    rf"(hooks\.slack(?:-gov)?\.com{_SLASH}[a-z]+{_SLASH}"
    rf"|discord(?:app)?\.com{_SLASH}api{_SLASH}(?:v\d+{_SLASH})?webhooks{_SLASH}"
    rf"|\.webhook\.office\.com{_SLASH}[A-Za-z0-9]+{_SLASH})"
    rf"(?:[^\s\"'<>\\]|{_SLASH})+"
)
_QUERY = (
    r"((?:[?&;]|%3[Ff]|%26|\\{1,2}u0026|\\{1,2}u003[Ff])"
    r"(?:sig|signature|key|token|secret|password|code|[a-z_]{0,30}api_key|access_token|client_secret)(?:=|%3[Dd]))"
    r"[^\s\"'<>&\\]{6,}"
)

_SHAPES = (
    (_KEY, ("phx_", "phc_", "pha_", "phe_", "phr_", "phs_", "hdg_", "xox", "xapp-", "whsec_", "ya29.", "AIza")),
    (_TOKEN, ("eyJ",)),
    (_PRIVATE_KEY, ("-----BEGIN",)),
    (_USERINFO, ("@", "%40")),
    (_BEARER, ("earer ", "uthorization")),
    (_CHAT, ("hooks.slack", "discord", "webhook.office")),
    (_QUERY, ("=", "%3D", "%3d")),
)
"""Each shape with what a text must hold to have it: nearly every text has none, and searching for that costs little."""


def without_keys(text: str) -> str:
    """The text with everything shaped like a key, a token or a secret address cut to where that begins."""
    for shape, hints in _SHAPES:
        if any(hint in text for hint in hints):
            text = _compiled(shape).sub(_beginning, text)
    return text


@cache
def _compiled(shape: str) -> re.Pattern[str]:
    # At the first text that may need it: all of them together take a start some milliseconds.
    return re.compile(shape)


def _beginning(found: re.Match[str]) -> str:
    return f"{found[found.lastindex or 0]}…"
