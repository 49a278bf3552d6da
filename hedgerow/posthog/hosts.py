"""Where a PostHog lives: reads the address people paste, and knows which host takes events for which app host.

Pure. The US and EU clouds are named by settings, so that an installation may put another
in their place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import urlsplit

from hedgerow.errors import InvalidError

_US_NAMES = frozenset({"posthog.com", "www.posthog.com", "app.posthog.com", "us.posthog.com", "t.posthog.com"})
_US_INGESTION = frozenset({"i.posthog.com", "us.i.posthog.com", "us-assets.i.posthog.com"})
_EU_NAMES = frozenset({"eu.posthog.com"})
_EU_INGESTION = frozenset({"eu.i.posthog.com", "eu-assets.i.posthog.com"})
_INGESTION_OF = {
    "https://us.posthog.com": "https://us.i.posthog.com",
    "https://eu.posthog.com": "https://eu.i.posthog.com",
}
_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*")
_PROJECT = re.compile(r"/project/(\d{1,18})(?:/|$)")
_KEY_SHAPED = re.compile(r"\s*(ph[a-z]_|hdg_)", re.IGNORECASE)
_DEFAULT_PORTS = {"https": 443, "http": 80}
LONGEST = 500


@dataclass(frozen=True, slots=True)
class Clouds:
    """The app hosts of PostHog's two regions."""

    us: str
    eu: str

    def other(self, host: str) -> str | None:
        """The other region's host; None for a host that is neither."""
        return {self.us: self.eu, self.eu: self.us}.get(host)

    def has(self, host: str) -> bool:
        """Is this one of PostHog's own?"""
        return host in {self.us, self.eu}

    def region(self, host: str) -> str:
        """`US` or `EU`, or the host itself."""
        return {self.us: "the US cloud", self.eu: "the EU cloud"}.get(host, host)


@dataclass(frozen=True, slots=True)
class Host:
    """An origin, what was mended to get it, and the project its path named."""

    origin: str
    mended: tuple[str, ...] = ()
    project_id: str | None = None


def read(text: str, clouds: Clouds) -> Host:
    """The app host somebody meant; `InvalidError` (code `host_invalid`) when there is none in it."""
    scheme, name, port, path, had_scheme = _split(text)
    mended = [] if had_scheme else ["https:// was added"]
    if path.strip("/"):
        mended.append("the path was left out")
    project = _PROJECT.search(path)
    cloud, why = _cloud(name, clouds)
    if why:
        mended.append(why)
    return Host(cloud or _origin(scheme, name, port), tuple(mended), project[1] if project else None)


def read_ingestion(text: str) -> str:
    """The origin events go to, as given; paths are left out."""
    scheme, name, port, _, _ = _split(text)
    return _origin(scheme, name, port)


def ingestion_of(host: str) -> str:
    """Where events of this app host go: the cloud's own ingestion host, else the same origin."""
    return _INGESTION_OF.get(host, host)


def _cloud(name: str, clouds: Clouds) -> tuple[str | None, str | None]:
    if name in _US_INGESTION:
        return clouds.us, f"{name} takes events; the API is at {clouds.us}"
    if name in _EU_INGESTION:
        return clouds.eu, f"{name} takes events; the API is at {clouds.eu}"
    if name in _US_NAMES:
        return clouds.us, None if name == "us.posthog.com" else f"{name} is the US cloud, {clouds.us}"
    return (clouds.eu, None) if name in _EU_NAMES else (None, None)


def _split(text: str) -> tuple[str, str, int | None, str, bool]:
    """Scheme, host name, port, path, and whether a scheme was written."""
    if _KEY_SHAPED.match(text):
        raise _invalid("`host` holds a key, not an address.")
    bare = text.strip()
    had_scheme = "://" in bare
    try:
        parts = urlsplit(bare if had_scheme else f"https://{bare}")
        name, port = parts.hostname or "", parts.port
    except ValueError:
        raise _invalid("`host` is not an address.") from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise _invalid("`host` must begin with https://.")
    if "%" in name:
        raise _invalid("`host` is not an address.")
    if parts.username is not None or parts.password is not None:
        raise _invalid("`host` must not hold a user name or password.")
    return parts.scheme, _checked(name), port, parts.path, had_scheme


def _checked(name: str) -> str:
    """The name in ASCII and lower case, an IPv6 address in its short form."""
    try:
        if ":" in name:
            return str(IPv6Address(name))
        if name.replace(".", "").isdigit():
            return str(IPv4Address(name))
        plain = name.rstrip(".").encode("idna").decode("ascii").lower()
    except ValueError:
        raise _invalid("`host` is not an address.") from None
    if not _NAME.fullmatch(plain):
        raise _invalid("`host` is not an address.")
    return plain


def _origin(scheme: str, name: str, port: int | None) -> str:
    shown = f"[{name}]" if ":" in name else name
    return f"{scheme}://{shown}" if port in {None, _DEFAULT_PORTS[scheme]} else f"{scheme}://{shown}:{port}"


def _invalid(detail: str) -> InvalidError:
    return InvalidError(
        detail,
        code="host_invalid",
        hint="Give the address you open PostHog at, such as https://us.posthog.com or https://posthog.example.com.",
    )
