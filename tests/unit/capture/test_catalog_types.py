"""Typed functions of a catalogue: what they send, that mypy and tsc take right calls and refuse wrong ones."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.capture.catalogue.catalog_python import python_of
from functions.capture.catalogue.catalog_shape import read, rules_of
from functions.capture.catalogue.catalog_shipped import shipped
from functions.capture.catalogue.catalog_types import typed
from functions.capture.catalogue.catalog_typescript import typescript_of
from hedgerow.capture_rules import CatalogRules, EventRule, PropertyRule
from hedgerow.errors import HedgerowError

ODD = CatalogRules(
    version=7,
    events=(
        EventRule(name="cart.paid", description='Ends """ */ with \\ a backslash\\'),
        EventRule(name="cart_paid"),
        EventRule(name="CartPaid"),
        EventRule(name="cart paid 2"),
        EventRule(name="class"),
        EventRule(name="list"),
        EventRule(name="constructor"),
        EventRule(name="支付"),
        EventRule(name="付款"),
        EventRule(name="2fa.done"),
        EventRule(name="$hidden"),
        EventRule(name="quo\"te's ${x}", properties={"list": PropertyRule(type="array")}),
        EventRule(
            name="odd.properties",
            properties={
                "self": PropertyRule(type="string", required=True),
                "distinct_id": PropertyRule(type="integer"),
                "class": PropertyRule(type="boolean"),
                "a-b": PropertyRule(type="number", description="One\nline. */"),
                "a b": PropertyRule(type="object"),
                "a_b": PropertyRule(type="array", required=True),
                "__private": PropertyRule(),
                "__proto__": PropertyRule(type="string"),
                "größe": PropertyRule(enum=("S", "M🌿", 'L"', 3, True, -1), required=True),
                "ratio": PropertyRule(type="number", enum=(0.5, 1)),
                "whole": PropertyRule(type="integer", enum=(5.0, 6)),
            },
        ),
    ),
)


def sent_by(rules: CatalogRules) -> tuple[Any, list[tuple[str, str, dict[str, Any]]]]:
    """The generated class, alive, and what its methods send."""
    room: dict[str, Any] = {}
    exec(compile(python_of(rules), "events.py", "exec"), room)  # noqa: S102 - it is what the test is about
    sent: list[tuple[str, str, dict[str, Any]]] = []

    def capture(event: str, /, *, distinct_id: str, properties: dict[str, Any]) -> None:
        sent.append((event, distinct_id, properties))

    return room["Events"](capture), sent


def test_a_method_sends_the_event_under_its_own_name() -> None:
    events, sent = sent_by(shipped())
    events.payment_completed("ada", amount_minor=1250, currency="EUR", method="card", platform="ios")
    assert sent == [
        ("payment.completed", "ada", {"amount_minor": 1250, "currency": "EUR", "method": "card", "platform": "ios"})
    ]


def test_names_that_are_no_identifiers_get_some_without_collisions() -> None:
    methods = {event.name: event.method for event in typed(ODD)}
    assert methods == {
        "cart_paid": "cart_paid",
        "CartPaid": "cart_paid_2",
        "cart.paid": "cart_paid_3",
        "cart paid 2": "cart_paid_2_2",
        "class": "class_",
        "list": "list_",
        "constructor": "constructor_",
        "付款": "event",
        "支付": "event_2",
        "2fa.done": "event_2fa_done",
        "$hidden": "hidden",
        "quo\"te's ${x}": "quo_te_s_x",
        "odd.properties": "odd_properties",
    }
    events, sent = sent_by(ODD)
    events.odd_properties("ada", self_="x", a_b=[1], gr_e="M🌿", distinct_id_=5, a_b_2={"x": 1}, a_b_3=2.5, private=0)
    assert sent.pop() == (
        "odd.properties",
        "ada",
        {"self": "x", "a_b": [1], "größe": "M🌿", "distinct_id": 5, "a b": {"x": 1}, "a-b": 2.5, "__private": 0},
    )
    for name, method in methods.items():
        if name != "odd.properties":
            getattr(events, method)("ada")
            assert sent.pop() == (name, "ada", {})


def test_the_text_depends_on_the_catalogue_alone() -> None:
    turned = CatalogRules(
        version=ODD.version,
        events=tuple(
            rule.model_copy(update={"properties": dict(reversed(rule.properties.items()))})
            for rule in reversed(ODD.events)
        ),
    )
    assert python_of(turned) == python_of(ODD)
    assert typescript_of(turned) == typescript_of(ODD)


NAMES = st.text(min_size=1, max_size=12) | st.sampled_from(["a.b", "a_b", "A b", "aB", "class", "_", "__init__", "a_2"])


@given(st.dictionaries(NAMES, st.dictionaries(NAMES, st.sampled_from(["string", "any"]), max_size=5), max_size=6))
def test_any_catalogue_becomes_python_that_compiles_and_sends_every_event(named: dict[str, dict[str, str]]) -> None:
    events = [
        {"name": name, "properties": {each: {"type": kind} for each, kind in properties.items()}}
        for name, properties in named.items()
    ]
    try:
        rules = rules_of(read({"events": events}))
    except HedgerowError:
        return  # Names no catalogue may hold are another test's.
    alive, sent = sent_by(rules)
    for event in typed(rules):
        given = {each.argument: "x" for each in event.properties}
        assert len(given) == len(event.properties)
        getattr(alive, event.method)("ada", **given)
        assert sent.pop() == (event.name, "ada", {each.name: "x" for each in event.properties})


RIGHT = """\
import posthog
from odd import Events as Odd
from shipped import Events, Platform

events = Events(posthog.capture)
phone: Platform = "ios"
events.payment_completed("ada", amount_minor=1, currency="EUR", method="card", platform=phone)
events.payment_failed("ada", amount_minor=1, reason="declined", user_tier=None)
events.kyc_verified("ada", tier="full", documents=["passport"])
Events(posthog.Posthog("phc_x").capture).user_signed_up("ada", channel="web")
odd = Odd(posthog.capture)
odd.odd_properties("ada", self_="x", a_b=[1], gr_e=True, ratio=0.5, whole=5)
odd.cart_paid_3("ada")
"""
WRONG = """\
import posthog
from odd import Events as Odd
from shipped import Events

events = Events(posthog.capture)
odd = Odd(posthog.capture)
events.payment_completed("ada", amount_minor=1, currency="EUR")
events.payment_completed("ada", amount_minor=1.5, currency="EUR", method="card")
events.payment_completed("ada", amount_minor=1, currency="EUR", method="card", platform="windows")
events.payment_completed("ada", 1, "EUR", "card")
events.payment_complete("ada")
odd.odd_properties("ada", self_="x", a_b=[1], gr_e="XL")
odd.odd_properties("ada", self_="x", a_b=[1], gr_e="S", whole=7)
Events(print)
"""


def test_mypy_takes_right_calls_and_refuses_every_wrong_one(tmp_path: Path) -> None:
    files = {"shipped.py": python_of(shipped()), "odd.py": python_of(ODD), "right.py": RIGHT, "wrong.py": WRONG}
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "mypy.ini").write_text("[mypy]\nstrict = true\n[mypy-posthog.*]\nfollow_imports = silent\n")
    command = [sys.executable, "-m", "mypy", "--cache-dir", str(tmp_path / "cache"), "--no-error-summary", *files]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False)
    lines = [line for line in done.stdout.splitlines() if ": error:" in line]
    assert {line.split(":")[0] for line in lines} == {"wrong.py"}, done.stdout + done.stderr
    assert {int(line.split(":")[1]) for line in lines} == set(range(7, 15)), done.stdout


RIGHT_TS = """\
import posthog from "posthog-js";
import { PostHog } from "posthog-node";
import { BrowserEvents, ServerEvents } from "./shipped";
import type { PaymentCompletedProperties } from "./shipped";
import { ServerEvents as Odd } from "./odd";

const page = new BrowserEvents(posthog);
const paid: PaymentCompletedProperties = { amount_minor: 1, currency: "EUR", method: "card", platform: "ios" };
page.payment_completed(paid);
const server = new ServerEvents(new PostHog("phc_x"));
server.payment_completed("ada", paid);
server.kyc_verified("ada", { tier: "full", documents: ["passport"] });
const odd = new Odd(new PostHog("phc_x"));
odd.cart_paid_3("ada");
odd.odd_properties("ada", { self: "x", a_b: [1], "größe": "M🌿", "a-b": 1, ratio: 0.5, whole: 5 });
"""
WRONG_TS = """\
import posthog from "posthog-js";
import { PostHog } from "posthog-node";
import { BrowserEvents, ServerEvents } from "./shipped";
import { ServerEvents as Odd } from "./odd";
const page = new BrowserEvents(posthog);
const server = new ServerEvents(new PostHog("phc_x"));
const odd = new Odd(new PostHog("phc_x"));
page.payment_completed({ amount_minor: 1, currency: "EUR" });
page.payment_completed({ amount_minor: "1", currency: "EUR", method: "card" });
page.payment_completed({ amount_minor: 1, currency: "EUR", method: "card", platform: "windows" });
page.payment_completed({ amount_minor: 1, currency: "EUR", method: "card", cupon: 1 });
page.payment_complete();
server.payment_completed({ amount_minor: 1, currency: "EUR", method: "card" });
odd.odd_properties("ada", { self: "x", a_b: [1], "größe": "XL" });
odd.odd_properties("ada", { self: "x", a_b: [1], "größe": "S", ratio: 0.7 });
odd.hidden("ada", { anything: 1 });
new ServerEvents(posthog);
"""


def test_tsc_takes_right_calls_and_refuses_every_wrong_one(tmp_path: Path, node_modules: Path) -> None:
    files = {"shipped.ts": typescript_of(shipped()), "odd.ts": typescript_of(ODD), "right.ts": RIGHT_TS}
    for name, text in {**files, "wrong.ts": WRONG_TS}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "node_modules").symlink_to(node_modules)
    options = "--noEmit --strict --noUncheckedIndexedAccess --exactOptionalPropertyTypes --skipLibCheck --target es2022"
    command = [str(node_modules / ".bin" / "tsc"), *options.split(), "--module", "esnext"]
    command += ["--moduleResolution", "bundler", "--lib", "es2022,dom", *files, "wrong.ts"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False)
    lines = [line for line in done.stdout.splitlines() if ": error TS" in line]
    assert {line.partition("(")[0] for line in lines} == {"wrong.ts"}, done.stdout + done.stderr
    assert {int(line.partition("(")[2].partition(",")[0]) for line in lines} == set(range(8, 18)), done.stdout


@pytest.mark.parametrize("rules", [shipped(), ODD])
def test_the_python_is_ascii_where_it_matters(rules: CatalogRules) -> None:
    tree = ast.parse(python_of(rules))
    assert all(name.isascii() for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) for name in [node.name])
