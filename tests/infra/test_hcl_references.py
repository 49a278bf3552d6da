from __future__ import annotations

from pathlib import Path

import pytest

from tests.infra import hcl
from tests.infra.expressions import references
from tests.infra.resolving import Declared, dangling, doubled, unused

INSIDE = {folder.resolve(): hcl.module(folder) for folder in hcl.modules()}


@pytest.mark.parametrize("folder", hcl.modules(), ids=lambda folder: folder.name)
def test_every_reference_is_resolved(folder: Path) -> None:
    assert list(dangling(Declared(folder, hcl.module(folder), INSIDE))) == []


@pytest.mark.parametrize("folder", hcl.modules(), ids=lambda folder: folder.name)
def test_nothing_is_declared_for_nobody(folder: Path) -> None:
    assert list(unused(Declared(folder, hcl.module(folder), INSIDE))) == []


@pytest.mark.parametrize("folder", hcl.modules(), ids=lambda folder: folder.name)
def test_nothing_is_declared_twice(folder: Path) -> None:
    assert list(doubled(Declared(folder, hcl.module(folder), INSIDE))) == []


def test_what_is_declared_twice_is_found() -> None:
    module = declared('locals {\n  a = 1\n}\nlocals {\n  a = 2\n}\nvariable "b" {\n}\nvariable "b" {\n}\n')
    assert list(doubled(module)) == ["local a is declared 2 times", "variable.b is declared 2 times"]


def declared(text: str, inner: str = "") -> Declared:
    folder = Path("/nowhere")
    return Declared(folder, hcl.parse(text), {folder / "inner": hcl.parse(inner)})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('output "a" {\n  value = var.hots\n}\n', "var.hots: no such variable"),
        ('output "a" {\n  value = "x-${local.gone}"\n}\n', "local.gone: no such local"),
        ('output "a" {\n  value = google_pubsub_topic.t.id\n}\n', "google_pubsub_topic.t.id: no such block"),
        ('output "a" {\n  value = data.google_project.p.id\n}\n', "data.google_project.p.id: no such block"),
        (
            'resource "google_pubsub_topic" "t" {\n  name = "t"\n}\noutput "a" {\n  value = google_pubsub_topic.t.uri\n}\n',
            "it has no uri",
        ),
        (
            'resource "google_pubsub_topic" "t" {\n  for_each = {}\n  name = "t"\n}\noutput "a" {\n  value = google_pubsub_topic.t.id\n}\n',
            "is read with an index",
        ),
        ('resource "google_pubsub_topic" "t" {\n  name = each.key\n}\n', "each.key: the block has no for_each"),
        ('module "m" {\n  source = "./inner"\n}\noutput "a" {\n  value = module.m.nothing\n}\n', "no output nothing"),
        ('module "m" {\n  source = "./inner"\n  sise = 1\n}\n', "module.m: no variable sise"),
        ('module "m" {\n  source = "./inner"\n}\n', "module.m: size is missing"),
    ],
)
def test_what_leads_nowhere_is_found(text: str, why: str) -> None:
    module = declared(text, 'variable "size" {\n  type = number\n}\noutput "there" {\n  value = var.size\n}\n')
    assert any(why in each for each in dangling(module)), list(dangling(module))


def test_what_nobody_reads_is_found() -> None:
    module = declared(
        'variable "a" {\n  type = string\n  validation {\n    condition = var.a != ""\n    error_message = "a"\n  }\n}\nlocals {\n  b = 1\n}\n'
    )
    assert list(unused(module)) == ["variable a is never read", "local b is never read"]


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ('"a ${var.b} and var.c"', ["var.b"]),
        ('${join(",", [for x in local.y : "${x.z} local.no ${each.key}"])}', ["local.y", "each.key"]),
        ('${module.function["api"].uri}', ['module.function["api"].uri']),
        ("${google_a.b[each.value.target].id}", ["google_a.b[each.value.target].id", "each.value.target"]),
        ('"$${var.b}"', []),
        ({"a": ["${var.b}", "${data.google_project.this.number}"]}, ["var.b", "data.google_project.this.number"]),
    ],
)
def test_references_are_read_out_of_expressions(expression: object, found: list[str]) -> None:
    assert [str(each) for each in references(expression)] == found
