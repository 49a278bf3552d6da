"""Each sign by itself: a reason without the sentence, a sentence without the reason, and what neither would tell."""

from __future__ import annotations

from typing import Any

import pytest
from google.api_core import exceptions
from google.auth import exceptions as auth_exceptions

from hedgerow.adapters.google_errors import Service, is_without_database, is_worth_repeating

google: Any = exceptions
auth: Any = auth_exceptions
CLOUD = Service("Firestore", "firestore.googleapis.com", "hedge", "database (default)", "HEDGEROW_DATABASE")
SCHEDULER = Service(
    "Cloud Scheduler", "cloudscheduler.googleapis.com", "hedge", "region europe-west9", "HEDGEROW_REGION"
)


def because(kind: Any, reason: str, **metadata: str) -> Any:
    """Google's answer with an ErrorInfo, and a sentence that says nothing."""
    from google.rpc.error_details_pb2 import ErrorInfo  # type: ignore[import-untyped]

    return kind("No.", details=[], error_info=ErrorInfo(reason=reason, metadata=metadata))


MEANT = {
    "disabled, by its reason": (because(google.PermissionDenied, "SERVICE_DISABLED"), "service_disabled"),
    "disabled, by its sentence": (
        google.PermissionDenied("Cloud Firestore API has not been used in project 1 before or it is disabled."),
        "service_disabled",
    ),
    "unpaid, by its reason": (because(google.PermissionDenied, "BILLING_DISABLED"), "no_billing"),
    "unpaid, by its sentence": (
        google.PermissionDenied("This API method requires Billing to be enabled."),
        "no_billing",
    ),
    "no such consumer": (because(google.PermissionDenied, "CONSUMER_INVALID"), "wrong_project"),
    "no such project, by its reason": (because(google.PermissionDenied, "RESOURCE_PROJECT_INVALID"), "wrong_project"),
    "no such project, by its sentence": (google.PermissionDenied("Project hedge has been deleted."), "wrong_project"),
    "no such project, as an argument": (google.InvalidArgument("Project hedge was not found."), "wrong_project"),
    "a database of another mode": (
        google.FailedPrecondition("The Cloud Firestore API is not available for Firestore in Datastore Mode database."),
        "no_database",
    ),
    "an index to come": (google.FailedPrecondition("The index is not ready yet."), "index_missing"),
    "an argument too large": (
        google.InvalidArgument("The value of property x is longer than 1048487 bytes."),
        "too_large",
    ),
    "a message larger than all": (google.ResourceExhausted("Sent message larger than max (5 vs. 4)"), "too_large"),
    "a quota": (google.ResourceExhausted("Quota exceeded for quota metric 'Write requests'."), "quota"),
    "nobody's credentials": (
        google.ServiceUnavailable("Getting metadata from plugin failed with error: Reauthentication is needed. Run x."),
        "no_credentials",
    ),
    "the token server away": (auth.RefreshError("late", retryable=True), "unavailable"),
    "the token refused": (auth.RefreshError("invalid_grant: Token has been revoked."), "no_credentials"),
    "the network away": (auth.TransportError("no route"), "unavailable"),
}


@pytest.mark.parametrize("name", MEANT)
def test_a_sign_is_enough_alone(name: str) -> None:
    error, code = MEANT[name]
    assert CLOUD.translate(error).code == code


@pytest.mark.parametrize(
    "said",
    [
        "The parent location must equal the location of the App Engine app.",
        "'europe-west9' is not a valid location.",
        "Location europe-west9 is not found.",
        "Location europe-west9 is not supported.",
    ],
)
def test_a_place_that_does_not_work_is_told_by_its_variable(said: str) -> None:
    told = SCHEDULER.translate(google.InvalidArgument(said))
    assert told.code == "wrong_region"
    assert "HEDGEROW_REGION" in told.hint


def test_the_missing_permission_is_named_by_whichever_part_has_it() -> None:
    by_reason = because(google.PermissionDenied, "IAM_PERMISSION_DENIED", permission="datastore.entities.get")
    by_sentence = google.PermissionDenied(
        "Permission 'datastore.entities.get' denied on resource (or it may not exist)."
    )
    for error, end in ((by_reason, "."), (by_sentence, ", or there is no such thing.")):
        assert CLOUD.translate(error).detail == f"Firestore refuses this account: it lacks datastore.entities.get{end}"
    assert CLOUD.translate(google.PermissionDenied("Not you.")).detail == "Firestore refuses this account: Not you."


def test_only_what_may_pass_is_asked_again() -> None:
    passing = (
        google.ServiceUnavailable,
        google.ResourceExhausted,
        google.Aborted,
        google.InternalServerError,
        google.Unknown,
    )
    for kind in passing:
        assert is_worth_repeating(kind("Later.")), kind
        assert not is_worth_repeating(kind("The request exceeds the maximum of 10 MB.")), kind
    for kind in (google.PermissionDenied, google.NotFound, google.InvalidArgument, google.FailedPrecondition):
        assert not is_worth_repeating(kind("Never.")), kind


def test_a_record_that_is_not_there_is_no_missing_database() -> None:
    assert is_without_database(google.NotFound("The database (default) does not exist for project hedge."))
    assert not is_without_database(google.NotFound('no entity to update: path { kind: "runs" }'))
