"""Names of events: their convention, what most follow, and which known one a name resembles."""

from __future__ import annotations

import pytest

from functions.capture.catalogue.catalog_shipped import shipped
from functions.capture.catalogue.naming import habit_of, lookalike, style_of

KNOWN = [event.name for event in shipped().events]


@pytest.mark.parametrize(
    ("name", "style"),
    [
        ("payment.completed", "noun.verb"),
        ("user.signed_up", "noun.verb"),
        ("a.b.c", "noun.verb"),
        ("payment_completed", "snake_case"),
        ("cart", "snake_case"),
        ("cart2_paid", "snake_case"),
        ("Payment.Completed", None),
        ("payment completed", None),
        ("PaymentCompleted", None),
        ("payment.", None),
        ("_cart", None),
        ("", None),
        ("zahlung_größe", None),
    ],
)
def test_a_convention_is_recognised(name: str, style: str | None) -> None:
    assert style_of(name) == style


@pytest.mark.parametrize(
    ("names", "style", "share", "counted"),
    [
        (["a.b", "c.d", "e_f", "$pageview", "$autocapture"], "noun.verb", 0.6667, 3),
        (["a_b", "c_d", "e.f"], "snake_case", 0.6667, 3),
        (["a.b", "c_d"], None, 0.0, 2),
        (["a.b", "a.b", "A B", "C D"], None, 0.0, 3),
        (["$pageview"], None, 0.0, 0),
        ([], None, 0.0, 0),
    ],
)
def test_the_habit_is_what_more_than_half_of_the_names_do(
    names: list[str], style: str | None, share: float, counted: int
) -> None:
    habit = habit_of(names)
    assert (habit.style, habit.share, habit.names) == (style, share, counted)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("payment_completed", "payment.completed"),
        ("PaymentCompleted", "payment.completed"),
        ("payment completed", "payment.completed"),
        ("completed_payment", "payment.completed"),
        ("payment.complete", "payment.completed"),
        ("paymnet.completed", "payment.completed"),
        ("user_signedup", "user.signed_up"),
        ("card-issued", "card.issued"),
        ("payment.refunded", None),
        ("cart.opened", None),
        ("…", None),
        ("", None),
    ],
)
def test_a_near_miss_finds_the_name_it_means(name: str, meant: str | None) -> None:
    assert lookalike(name, KNOWN) == meant


def test_very_long_names_are_compared_quickly() -> None:
    assert lookalike("x" * 1_000_000, KNOWN) is None
