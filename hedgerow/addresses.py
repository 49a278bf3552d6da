"""Which network addresses Hedgerow may call: public ones, and those the operator allows by name and port.

Pure. An IPv6 address that carries an IPv4 one (mapped, 6to4, NAT64) is judged by the one it carries.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from hedgerow.errors import OutboundError

Address = IPv4Address | IPv6Address

# Written out rather than taken from `is_global`, whose meaning moved between Python releases.
_CLOSED_V4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT; Alibaba's metadata server lives here
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's wire server: a public number, an internal service
        "169.254.0.0/16",  # link-local; the metadata servers
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments; Oracle's metadata server
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # the withdrawn 6to4 relay
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarking
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
_OPEN_V6 = IPv6Network("2000::/3")
_CLOSED_V6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments; Teredo among them
        "2001:db8::/32",  # documentation
        "3fff::/20",  # documentation
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")


class AddressRefusedError(OutboundError):
    """The guard refused: not a public address, or not HTTPS. The address itself is not told: it may be internal."""

    code = "address_refused"
    hint = (
        "Give the public https:// address of the instance. For one in a private network the operator of Hedgerow "
        "adds its host:port to HEDGEROW_ALLOWED_PRIVATE_HOSTS."
    )


def is_public(address: Address) -> bool:
    """Does this address belong to the open internet?"""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _CLOSED_V4)
    carried = _carried(address)
    if carried is not None:
        return is_public(carried)
    return address in _OPEN_V6 and not any(address in network for network in _CLOSED_V6)


def literal(host: str) -> Address | None:
    """The address a host is written as, None for a name."""
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        return None


def _carried(address: IPv6Address) -> IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.sixtofour


@dataclass(frozen=True, slots=True)
class Allowed:
    """The `host:port` pairs the operator lets through, as names or addresses."""

    pairs: frozenset[tuple[str, int]]

    @classmethod
    def of(cls, texts: tuple[str, ...]) -> Allowed:
        """Read `HEDGEROW_ALLOWED_PRIVATE_HOSTS`; a pair without a port is a `ValueError`."""
        pairs = set()
        for text in texts:
            host, separator, port = text.rpartition(":")
            if not separator or not port.isdecimal():
                raise ValueError(f"it wants host:port, not {text!r}.")
            pairs.add((_plain(host), int(port)))
        return cls(frozenset(pairs))

    def has(self, host: str, port: int) -> bool:
        """Is this pair among them?"""
        return (_plain(host), port) in self.pairs


def _plain(host: str) -> str:
    """One way to write a host: lower case, no brackets, no closing dot, addresses in short form."""
    bare = host.strip("[]").rstrip(".").lower()
    address = literal(bare)
    return str(address) if address is not None else bare
