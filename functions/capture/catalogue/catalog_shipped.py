"""The catalogue that stands for every connection whose owner never wrote one. Data, nothing else."""

from __future__ import annotations

from functools import cache

from hedgerow.capture_rules import CatalogRules, EventRule, PropertyRule, PropertyType

PLATFORMS = ("ios", "android", "web")
# Recommended on every event; money's two belong together.
RECOMMENDED = ("platform", "user_tier")
MONEY = ("amount_minor", "currency")


@cache
def shipped() -> CatalogRules:
    """Eight events of a payments product. It observes: an owner who never asked is not refused anything."""
    amount = _required("integer", "In the currency's smallest unit, such as cents.")
    currency = _required("string", "ISO 4217, such as EUR.")
    method = _required("string", "How it was paid.")
    return CatalogRules(
        events=(
            _event("payment.completed", "A successful payment.", amount_minor=amount, currency=currency, method=method),
            _event(
                "payment.failed",
                "A payment that did not go through.",
                reason=_required("string", "Why it failed."),
                amount_minor=amount,
            ),
            _event(
                "payment.pending",
                "A payment begun and not settled yet.",
                amount_minor=amount,
                currency=currency,
                method=method,
            ),
            _event(
                "transfer.completed",
                "A bank transfer that arrived.",
                amount_minor=amount,
                destination=_required("string", "Where it went."),
            ),
            _event(
                "card.issued",
                "A new card.",
                cardType=_required("string", "The card's kind."),
                tier=_required("string", "The tier it belongs to."),
            ),
            _event(
                "kyc.verified",
                "An identity check that passed.",
                tier=_required("string", "The tier reached."),
                documents=_required("any", "The documents looked at: their kinds, or how many."),
            ),
            _event(
                "user.signed_up",
                "A new user.",
                channel=_required("string", "Where the user came from."),
                referral=PropertyRule(description="Who referred the user, where somebody did."),
            ),
            _event(
                "session.authenticated",
                "A user logged in.",
                method=_required("string", "How the user proved who it is."),
                deviceType=_required("string", "The device's kind."),
            ),
        )
    )


def _event(name: str, description: str, **properties: PropertyRule) -> EventRule:
    return EventRule(name=name, description=description, properties=properties)


def _required(type: PropertyType, description: str) -> PropertyRule:
    return PropertyRule(type=type, required=True, description=description)
