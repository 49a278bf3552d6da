"""What is known of an expression's type while it is printed: enough to choose conversions.

Refuses to guess: what is not certain is `UNKNOWN` and counts as nullable.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Kind:
    """A type: its name, whether it may be null, and the types inside an array or a tuple."""

    name: str
    nullable: bool = False
    of: tuple["Kind", ...] = ()

    def maybe(self, nullable: bool = True) -> "Kind":  # noqa: FBT001, FBT002
        return replace(self, nullable=nullable)

    @property
    def element(self) -> "Kind":
        return self.of[0] if self.name == "array" and self.of else UNKNOWN


UNKNOWN = Kind("unknown", nullable=True)
STRING = Kind("string")
INT = Kind("int")
FLOAT = Kind("float")
BOOL = Kind("bool")
DATE = Kind("date")
DATETIME = Kind("datetime")
UUID = Kind("uuid")
INTERVAL = Kind("interval")
JSON = Kind("json")
NULL = Kind("null", nullable=True)


@dataclass(frozen=True, slots=True)
class Printed:
    """An expression as ClickHouse SQL, and its type as far as it is known."""

    sql: str
    kind: Kind = UNKNOWN


def array_of(kind: Kind) -> Kind:
    """An array of values of one kind."""
    return Kind("array", of=(kind,))


def common(kinds: list[Kind]) -> Kind:
    """The type that values of several branches share; a null has any type."""
    known = [kind for kind in kinds if kind.name != "null"]
    nullable = any(kind.nullable for kind in kinds)
    if known and all(kind.name == known[0].name and kind.of == known[0].of for kind in known):
        return known[0].maybe(nullable)
    return UNKNOWN
