"""Every status of gRPC, met by every call to Google's services: what is retried, what becomes which error of ours."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.api_core import exceptions

from hedgerow.adapters.google_errors import Service
from hedgerow.errors import (
    ConflictError,
    HedgerowError,
    MisconfiguredError,
    MissingError,
    RejectedError,
    SecretGoneError,
    StateConflictError,
    TransientError,
)
from tests.contract.faulting import Fault
from tests.contract.google_calls import CALLS, called

Status = grpc.StatusCode
google: Any = exceptions
RETRIED = (Status.UNAVAILABLE, Status.RESOURCE_EXHAUSTED, Status.ABORTED, Status.INTERNAL, Status.UNKNOWN)
# What a status means wherever a call has no meaning of its own for it.
MEANS: dict[grpc.StatusCode, tuple[type[HedgerowError], str]] = {
    Status.CANCELLED: (TransientError, "unavailable"),
    Status.DEADLINE_EXCEEDED: (TransientError, "unavailable"),
    Status.DATA_LOSS: (TransientError, "unavailable"),
    Status.PERMISSION_DENIED: (MisconfiguredError, "no_rights"),
    Status.UNAUTHENTICATED: (MisconfiguredError, "no_credentials"),
    Status.UNIMPLEMENTED: (MisconfiguredError, "wrong_server"),
    Status.NOT_FOUND: (MisconfiguredError, "wrong_project"),
    Status.INVALID_ARGUMENT: (RejectedError, "rejected"),
    Status.OUT_OF_RANGE: (RejectedError, "rejected"),
    Status.FAILED_PRECONDITION: (RejectedError, "rejected"),
    Status.ALREADY_EXISTS: (RejectedError, "rejected"),
}
OWN: dict[tuple[str, grpc.StatusCode], tuple[type[HedgerowError], str] | None] = {
    ("commit", Status.ALREADY_EXISTS): (ConflictError, "write_conflict"),
    ("commit", Status.FAILED_PRECONDITION): (ConflictError, "write_conflict"),
    ("commit", Status.NOT_FOUND): (ConflictError, "write_conflict"),
    ("publish", Status.NOT_FOUND): (MisconfiguredError, "no_topic"),
    ("read", Status.NOT_FOUND): (SecretGoneError, "secret_gone"),
    ("read", Status.FAILED_PRECONDITION): (SecretGoneError, "secret_gone"),
    # The secret is there, as it should be; it is gone, as it should be.
    ("write", Status.ALREADY_EXISTS): None,
    ("destroy", Status.NOT_FOUND): None,
    ("remove", Status.NOT_FOUND): None,
    ("pause", Status.NOT_FOUND): (MissingError, "not_found"),
    ("resume", Status.NOT_FOUND): (MissingError, "not_found"),
    ("run", Status.NOT_FOUND): (MissingError, "not_found"),
    ("pause", Status.FAILED_PRECONDITION): (StateConflictError, "conflict"),
    # It runs already: the answer to the first asking was lost.
    ("resume", Status.FAILED_PRECONDITION): None,
}
EVERY_CALL = pytest.mark.parametrize(("service", "verb"), CALLS, ids=[f"{s}-{v}" for s, v in CALLS])


def test_every_status_is_thought_of() -> None:
    assert {*RETRIED, *MEANS} == set(Status) - {Status.OK}


@EVERY_CALL
@pytest.mark.parametrize("status", MEANS, ids=lambda status: status.name)
async def test_a_status_becomes_an_error_of_ours(
    request: pytest.FixtureRequest, service: str, verb: str, status: grpc.StatusCode
) -> None:
    async with called(request, service, verb) as ready:
        ready.faults.then(Fault(status, said="Nobody knows why."))
        expected = OWN.get((verb, status), MEANS[status])
        if expected is None:
            await ready.call()
            return
        with pytest.raises(HedgerowError) as raised:
            await ready.call()

    assert (type(raised.value), raised.value.code) == expected
    assert "phx_" not in f"{raised.value.detail} {raised.value.hint}"
    if not isinstance(raised.value, ConflictError | SecretGoneError | MissingError | StateConflictError):
        assert service in raised.value.detail
        assert raised.value.hint


@EVERY_CALL
@pytest.mark.parametrize("status", RETRIED, ids=lambda status: status.name)
async def test_what_passes_is_retried_until_the_truth(
    request: pytest.FixtureRequest, service: str, verb: str, status: grpc.StatusCode
) -> None:
    async with called(request, service, verb) as ready:
        ready.faults.then(Fault(status), times=3)
        if verb == "resume":
            # It was never paused: the service refuses, the job is as wanted.
            ready.faults.only = "ResumeJob"
        await ready.call()

        assert not ready.faults.coming
        assert len(ready.faults.calls) >= 4


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (google.ServiceUnavailable("gone"), "unavailable"),
        (google.ResourceExhausted("Quota exceeded for quota metric"), "quota"),
        (google.Aborted("Too much contention on these documents."), "contention"),
        (google.InternalServerError("oh"), "unavailable"),
        (google.Unknown("Stream removed"), "unavailable"),
    ],
    ids=["unavailable", "quota", "contention", "internal", "unknown"],
)
def test_when_patience_ends_the_last_refusal_is_what_is_told(raised: Any, code: str) -> None:
    told = Service("Firestore", "firestore.googleapis.com", "hedge").translate(
        google.RetryError("Timeout of 20.0s exceeded", raised)
    )

    assert (type(told), told.code) == (TransientError, code)
    assert str(raised.message) in told.detail


@pytest.mark.parametrize(
    ("service", "verb", "expected"),
    [
        # The store says a loser lost: the caller re-reads and recognises itself, as the port has it.
        ("Firestore", "commit", ConflictError),
        ("Pub/Sub", "publish", None),
        ("Secret Manager", "write", None),
        ("Secret Manager", "destroy", None),
        ("Secret Manager", "remove", None),
        ("Cloud Scheduler", "pause", None),
        ("Cloud Scheduler", "run", None),
    ],
)
async def test_an_answer_lost_after_the_deed(
    request: pytest.FixtureRequest, service: str, verb: str, expected: type[HedgerowError] | None
) -> None:
    async with called(request, service, verb) as ready:
        ready.faults.then(Fault(Status.UNAVAILABLE, done=True))
        if expected is None:
            await ready.call()
        else:
            with pytest.raises(expected):
                await ready.call()
        assert not ready.faults.coming
