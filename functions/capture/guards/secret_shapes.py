"""How secrets look: tokens of known makers, JWTs, `Bearer` and `Basic`, private keys, passwords in addresses.

Owns the shapes; a word that only could be a password is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

SHORTEST = 12
"""Characters a text must have to hold one."""

NAMES = frozenset(
    [
        "password",
        "passwd",
        "pwd",
        "passphrase",
        "secret",
        "client_secret",
        "api_key",
        "apikey",
        "x_api_key",
        "api_secret",
        "api_token",
        "access_token",
        "refresh_token",
        "id_token",
        "auth_token",
        "bearer_token",
        "session_token",
        "private_key",
        "secret_key",
        "secret_access_key",
        "aws_secret_access_key",
        "authorization",
    ]
)
"""Names of properties whose value is a secret, whatever it looks like; lower case, words joined by `_`."""

_SHAPED = re.compile(
    # One inside a longer word is a part of it, and no new beginning: a megabyte is walked through once.
    r"(?<![A-Za-z0-9_])(?:"
    r"ph[xsar]_[A-Za-z0-9_\-]{10,}"
    r"|hdg_[A-Za-z0-9_\-]{16,}"
    r"|[sr]k_(?:live|test)_[A-Za-z0-9]{10,}"
    r"|sk-(?:[a-z0-9]{2,10}-)?[A-Za-z0-9_\-]{20,}"
    r"|whsec_[A-Za-z0-9+/=]{16,}"
    r"|gh[pousr]_[A-Za-z0-9]{20,}"
    r"|github_pat_[A-Za-z0-9_]{20,}"
    r"|glpat-[A-Za-z0-9_\-]{16,}"
    r"|xox[abeprs]-[A-Za-z0-9\-]{10,}"
    r"|A(?:KIA|SIA)[A-Z0-9]{16}(?![A-Za-z0-9])"
    r"|AIza[A-Za-z0-9_\-]{30,}"
    r"|ya29\.[A-Za-z0-9_\-]{20,}"
    r"|SG\.[A-Za-z0-9_\-]{16,}\.[A-Za-z0-9_\-]{16,}"
    r"|SK[0-9a-f]{32}(?![A-Za-z0-9])"
    r"|npm_[A-Za-z0-9]{30,}"
    r"|hf_[A-Za-z0-9]{30,}"
    r"|pypi-[A-Za-z0-9_\-]{16,}"
    r"|dop_v1_[0-9a-f]{32,}"
    r"|shp(?:at|ca|pa|ss)_[0-9A-Fa-f]{32}"
    r"|(?<!-)eyJ[A-Za-z0-9_\-]{8,}\.eyJ[A-Za-z0-9_\-]{8,}(?:\.[A-Za-z0-9_\-]*)?"
    r")"
)
# The same shapes by the one character that the search may jump to; what hits here is then looked at in full.
_AFTER_UNDERSCORE = re.compile(r"_(?<=h[xsarpouf]_|dg_|ve_|st_|ec_|at_|pm_|v1_|ca_|pa_|ss_)(?=[A-Za-z0-9_\-+/]{10})")
_AFTER_DASH = re.compile(r"-(?<=sk-|at-|pi-|x[abeprs]-)(?=[A-Za-z0-9_\-]{10})")
_MARKS = ("eyJ", "AKIA", "ASIA", "AIza", "ya29.", "SG.", "SK", "earer", "EARER", "Basic", "-----BEGIN ")
_BEARER = re.compile(r"[Bb](?:earer|EARER)(?:[ +]|%20)(?P<token>[A-Za-z0-9._~+/=\-]{16,})")
_BASIC = re.compile(r"Basic(?:[ +]|%20)(?P<token>[A-Za-z0-9+/]{8,}={0,2})")
_PEM = re.compile(r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY")
_PEM_END = re.compile(r"-----END [A-Z ]{0,20}PRIVATE KEY-----")
_IN_ADDRESS = re.compile(r"://(?P<token>[^\s/:@?#]{0,128}:[^\s/@?#]{1,256})@")
_IN_QUERY = re.compile(
    r"[?&#;](?:access_token|refresh_token|id_token|auth_token|token|api_key|apikey|client_secret|password|passwd|secret)"
    r"=(?P<token>[^&#\s;\"'<>]{6,})"
)
_DIGIT = re.compile(r"[0-9]")
_STAND_IN = re.compile(
    r"[*•x.\-_#]+|\[.*\]|<.*>|\{.*\}|redacted|hidden|filtered|masked|removed|undefined", re.IGNORECASE
)


def may_be_in(text: str) -> bool:
    """A quick look: False where `spans` would find nothing."""
    for mark in _MARKS:
        if mark in text:
            return True
    if "_" in text and _AFTER_UNDERSCORE.search(text):
        return True
    if "-" in text and _AFTER_DASH.search(text):
        return True
    if "=" in text and _IN_QUERY.search(text):
        return True
    return "@" in text and "://" in text


def spans(text: str) -> Iterator[tuple[int, int]]:
    """Where secrets stand in a text."""
    if "://" in text and "@" in text:
        yield from (match.span("token") for match in _IN_ADDRESS.finditer(text))
    if "-----BEGIN " in text:
        yield from _private_keys(text)
    # Without a digit it is a word: `sk-folding-cube-loading-animation`.
    yield from (match.span() for match in _SHAPED.finditer(text) if _DIGIT.search(match[0]))
    if "earer" in text or "EARER" in text:
        yield from (match.span("token") for match in _BEARER.finditer(text) if _DIGIT.search(match["token"]))
    if "Basic" in text:
        yield from (match.span("token") for match in _BASIC.finditer(text) if _is_basic(match["token"]))
    if "=" in text:
        for match in _IN_QUERY.finditer(text):
            if _DIGIT.search(match["token"]) and not match["token"].startswith("phc_"):
                yield match.span("token")


def is_kept_secret(text: str) -> bool:
    """Whether the value of a property named like a secret is one: not a sentence, a stand-in, or a public token."""
    written = text.removeprefix("Bearer ").removeprefix("Basic ").strip()
    is_word = len(written) >= 4 and not any(map(str.isspace, written))
    return is_word and not written.startswith("phc_") and _STAND_IN.fullmatch(written) is None


def _private_keys(text: str) -> Iterator[tuple[int, int]]:
    end = 0
    for match in _PEM.finditer(text):
        if match.start() >= end:
            closing = _PEM_END.search(text, match.end())
            end = closing.end() if closing else len(text)
            yield match.start(), end


def _is_basic(token: str) -> bool:
    """`Basic` before base64 of `user:password`; after it stands a word of a sentence else."""
    from base64 import b64decode
    from binascii import Error

    try:
        return b":" in b64decode(token, validate=True)
    except Error:
        return False
