"""A catalogue as a Python module: one class, one method an event, over any `capture` like posthog's. Pure."""

from __future__ import annotations

from functions.capture.catalogue.catalog_shipped import PLATFORMS
from functions.capture.catalogue.catalog_types import TypedEvent, TypedProperty, one_line, typed
from hedgerow.capture_rules import CatalogRules, PropertyRule

_TYPES = {
    "string": "str",
    "number": "float",
    "integer": "int",
    "boolean": "bool",
    "object": "dict[str, Any]",
    "array": "list[Any]",
    "any": "object",
}

_HEAD = '''"""The events of catalogue version {version}, typed. Written by `hedgerow catalog types`; change the catalogue instead."""

from __future__ import annotations

from typing import Any, Literal, Protocol

__all__ = ["Capture", "Events", "Platform"]

Platform = Literal["ios", "android", "web"]


class Capture(Protocol):
    """What sends an event, such as `posthog.capture` or a client's own `capture`."""

    def __call__(self, event: str, /, *, distinct_id: str, properties: dict[str, Any]) -> object: ...


class Events:
    """One method an event. Optional properties that are None are not sent."""

    def __init__(self, capture: Capture) -> None:
        self._capture = capture
'''

_TAIL = """
    def _send(self, event: str, distinct_id: str, properties: dict[str, Any]) -> None:
        given = {name: value for name, value in properties.items() if value is not None}
        self._capture(event, distinct_id=distinct_id, properties=given)
"""


def python_of(rules: CatalogRules) -> str:
    """The module's text."""
    return _HEAD.format(version=rules.version) + "".join(map(_method, typed(rules))) + _TAIL


def _method(event: TypedEvent) -> str:
    keywords_follow = ["*"] if event.properties else []
    arguments = ["self", "distinct_id: str", *keywords_follow, *map(_argument, event.properties)]
    lines = [f"    def {event.method}(", *(f"        {each}," for each in arguments), "    ) -> None:"]
    lines += _docstring(event)
    lines.append("        self._send(")
    lines += [f"            {_literal(event.name)},", "            distinct_id,"]
    if event.properties:
        lines.append("            {")
        lines += [f"                {_literal(each.name)}: {each.argument}," for each in event.properties]
        lines.append("            },")
    else:
        lines.append("            {},")
    lines.append("        )")
    return "\n" + "\n".join(lines) + "\n"


def _argument(property: TypedProperty) -> str:
    kind = _type(property.rule)
    if property.rule.required:
        return f"{property.argument}: {kind}"
    return f"{property.argument}: {kind} = None" if kind == "object" else f"{property.argument}: {kind} | None = None"


def _type(rule: PropertyRule) -> str:
    if rule.enum is None or any(isinstance(value, float) and not value.is_integer() for value in rule.enum):
        # Python has no literal type of a fraction.
        return _TYPES[rule.type]
    if rule.enum == PLATFORMS:
        return "Platform"
    values = (int(value) if isinstance(value, float) else value for value in rule.enum)
    return f"Literal[{', '.join(map(_literal, values))}]"


def _literal(value: object) -> str:
    """A Python literal, in double quotes where that takes no further escape."""
    text = ascii(value)
    return f'"{text[1:-1]}"' if text[0] == "'" and '"' not in text else text


def _docstring(event: TypedEvent) -> list[str]:
    told = _quoted(event.description or f"Send `{one_line(event.name)}`.")
    described = [(each.argument, one_line(each.rule.description)) for each in event.properties]
    lines = [f"        {name}: {_quoted(text)}" for name, text in described if text]
    if not lines:
        return [f'        """{told}"""']
    return [f'        """{told}', "", *lines, '        """']


def _quoted(text: str) -> str:
    """Text that ends no docstring and escapes nothing."""
    return text.replace("\\", "\\\\").replace('"', '\\"')
