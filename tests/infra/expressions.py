"""What expressions refer to: `var.host`, `google_pubsub_topic.topic["dead"].id`, `each.value.target`, with their paths."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

HEADS = (
    r"var|local|module|data|each|self|count|path|ephemeral|terraform|(?:google|random|time)_[a-z0-9_]+|terraform_data"
)
REFERENCE = re.compile(
    rf"(?<![\w.\-\"])(?P<head>{HEADS})(?P<path>(?:\.[A-Za-z_][\w\-]*|\.\*|\[[^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*\])+)"
)
STEP = re.compile(r"\.(?P<name>[A-Za-z_][\w\-]*|\*)|\[(?P<index>[^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*)\]")


@dataclass(frozen=True)
class Reference:
    """`google_a.b["c"].d` is the head `google_a` and the steps `b`, `["c"]`, `d`."""

    head: str
    steps: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The steps that are names, without indexes."""
        return tuple(step for step in self.steps if not step.startswith("["))

    def __str__(self) -> str:
        return self.head + "".join(step if step.startswith("[") else f".{step}" for step in self.steps)


def references(value: object) -> Iterator[Reference]:
    """Every reference within an attribute's value, whatever it is nested in."""
    for code in _code(value):
        for found in REFERENCE.finditer(code):
            steps = tuple(step["name"] or f"[{step['index']}]" for step in STEP.finditer(found["path"]))
            yield Reference(found["head"], steps)
            for step in steps:
                if step.startswith("["):
                    yield from references("${" + step[1:-1] + "}")


def _code(value: object) -> Iterator[str]:
    match value:
        case str():
            yield "".join(_without_text(value))
        case dict():
            for key, each in value.items():
                yield from _code(key)
                yield from _code(each)
        case list():
            for each in value:
                yield from _code(each)


def _without_text(value: str) -> Iterator[str]:
    """The code of a template: what stands in `${…}`. Text in quotes is dropped, except a whole index such as ["dead"]."""
    place = 0
    within = ["text"]
    while place < len(value):
        sign = value[place]
        if within[-1] == "text":
            if value.startswith("$${", place):
                place += 2
            elif value.startswith("${", place):
                within.append("code")
                yield " "
                place += 1
            elif sign == "\\":
                place += 1
            elif sign == '"' and len(within) > 1:
                within.pop()
        elif sign == '"':
            index = re.match(r'"([^"$\\]*)"\]', value[place:])
            if index and value[:place].endswith("["):
                yield f'"{index[1]}"'
                place += index.end() - 2
            else:
                within.append("text")
        elif sign == "}" and within[-1] == "code":
            within.pop()
            yield " "
        else:
            if sign == "{":
                within.append("brace")
            elif sign == "}":
                within.pop()
            yield sign
        place += 1
