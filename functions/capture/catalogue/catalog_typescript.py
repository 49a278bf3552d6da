"""A catalogue as a TypeScript module: an interface an event, and a class each for posthog-js and posthog-node. Pure."""

from __future__ import annotations

import json
import re

from functions.capture.catalogue.catalog_types import TypedEvent, TypedProperty, one_line, typed
from hedgerow.capture_rules import CatalogRules, PropertyRule

_TYPES = {
    "string": "string",
    "number": "number",
    "integer": "number",
    "boolean": "boolean",
    "object": "{ [name: string]: unknown }",
    "array": "readonly unknown[]",
    "any": "unknown",
}
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_HEAD = """// The events of catalogue version {version}, typed. Written by `hedgerow catalog types`; change the catalogue instead.

/** What sends an event of the person at hand, such as posthog-js. */
export interface BrowserCapture {{
  capture(event: string, properties: {{ [name: string]: unknown }}): unknown;
}}

/** What sends an event of anybody, such as a client of posthog-node. */
export interface ServerCapture {{
  capture(message: {{ distinctId: string; event: string; properties: {{ [name: string]: unknown }} }}): unknown;
}}
"""


def typescript_of(rules: CatalogRules) -> str:
    """The module's text."""
    events = typed(rules)
    parts = [
        _HEAD.format(version=rules.version),
        *map(_interface, events),
        _class("Browser", "posthog-js", events),
        _class("Server", "posthog-node", events),
    ]
    return "\n".join(parts)


def _interface(event: TypedEvent) -> str:
    if not event.properties:
        return f"export type {_type_name(event)} = {{ [name: string]: never }};\n"
    lines = [f"export interface {_type_name(event)} {{"]
    for each in event.properties:
        if described := one_line(each.rule.description):
            lines.append(f"  /** {_comment(described)} */")
        lines.append(f"  {_member(each)}: {_type(each.rule)};")
    return "\n".join([*lines, "}", ""])


def _class(side: str, package: str, events: tuple[TypedEvent, ...]) -> str:
    lines = [
        f"/** One method an event, over {package}. */",
        f"export class {side}Events {{",
        f"  readonly #posthog: {side}Capture;",
        "",
        f"  constructor(posthog: {side}Capture) {{",
        "    this.#posthog = posthog;",
        "  }",
    ]
    for event in events:
        person = "distinctId: string, " if side == "Server" else ""
        is_optional = not any(each.rule.required for each in event.properties)
        default = " = {}" if is_optional else ""
        name = _text(event.name)
        sent = (
            f"this.#posthog.capture({{ distinctId, event: {name}, properties: {{ ...properties }} }});"
            if side == "Server"
            else f"this.#posthog.capture({name}, {{ ...properties }});"
        )
        lines += [
            "",
            f"  /** {_comment(event.description or one_line(event.name))} */",
            f"  {event.method}({person}properties: {_type_name(event)}{default}): void {{",
            f"    {sent}",
            "  }",
        ]
    return "\n".join([*lines, "}", ""])


def _type_name(event: TypedEvent) -> str:
    """As unique as the method's name: an underscore before a digit stays, for `a_2` and `a2` are two."""
    return re.sub(r"(?:^|_+)([a-z])", lambda found: found[1].upper(), event.method) + "Properties"


def _member(property: TypedProperty) -> str:
    name = property.name if _IDENTIFIER.fullmatch(property.name) else _text(property.name)
    return name if property.rule.required else f"{name}?"


def _type(rule: PropertyRule) -> str:
    return _TYPES[rule.type] if rule.enum is None else " | ".join(map(_text, rule.enum))


def _text(value: object) -> str:
    return json.dumps(value)


def _comment(text: str) -> str:
    return text.replace("*/", "*\\/")
