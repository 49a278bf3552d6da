"""docs/operations/google-errors.md, row by row: Google's answer goes in, and what the page says comes out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.api_core import exceptions
from google.auth import exceptions as auth_exceptions
from pydantic import SecretStr

from hedgerow import wiring
from hedgerow.adapters.google import SecretManagerVault
from hedgerow.adapters.google_errors import Service
from hedgerow.errors import HedgerowError, MisconfiguredError, TransientError
from hedgerow.settings import Settings
from tests.contract.faulting import Fault
from tests.contract.google_calls import called

PAGE = Path(__file__).parents[2] / "docs" / "operations" / "google-errors.md"
ROW = re.compile(r"^\| `(\w+)` \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)
Status = grpc.StatusCode
LINK = "https://console.firebase.google.com/v1/r/project/hedge/firestore/indexes?create_composite=Ck1wcm9q"
google: Any = exceptions
auth: Any = auth_exceptions
FIRESTORE = Service(
    "Firestore",
    "firestore.googleapis.com",
    "hedge",
    emulator="127.0.0.1:8391",
    emulator_setting="FIRESTORE_EMULATOR_HOST",
)
CLOUD = Service("Firestore", "firestore.googleapis.com", "hedge")


@dataclass(frozen=True)
class Answered:
    """A call and what Google says to it, as people have reported its sentences."""

    service: str
    verb: str
    fault: Fault


FAULTS = {
    "no_rights": Answered(
        "Secret Manager",
        "read",
        Fault(
            Status.PERMISSION_DENIED,
            "Permission 'secretmanager.versions.access' denied for resource 'projects/hedge/secrets/x' "
            "(or it may not exist).",
            reason="IAM_PERMISSION_DENIED",
            metadata={"permission": "secretmanager.versions.access"},
        ),
    ),
    "service_disabled": Answered(
        "Cloud Scheduler",
        "list",
        Fault(
            Status.PERMISSION_DENIED,
            "Cloud Scheduler API has not been used in project 1 before or it is disabled.",
            reason="SERVICE_DISABLED",
        ),
    ),
    "no_billing": Answered(
        "Secret Manager", "write", Fault(Status.PERMISSION_DENIED, "Billing is off.", reason="BILLING_DISABLED")
    ),
    "wrong_project": Answered(
        "Pub/Sub",
        "publish",
        Fault(Status.NOT_FOUND, "Requested project not found or user does not have access to it (project=hedge)."),
    ),
    "no_database": Answered(
        "Firestore",
        "commit",
        Fault(Status.NOT_FOUND, "The database (default) does not exist for project hedge Please visit a page."),
    ),
    "wrong_region": Answered(
        "Cloud Scheduler", "list", Fault(Status.INVALID_ARGUMENT, "Location 'europe-west1' is not a valid location.")
    ),
    "index_missing": Answered(
        "Firestore",
        "ask",
        Fault(Status.FAILED_PRECONDITION, f"The query requires an index. You can create it here: {LINK}"),
    ),
    "no_topic": Answered("Pub/Sub", "publish", Fault(Status.NOT_FOUND, "Resource not found (resource=run-ended).")),
    "secret_gone": Answered(
        "Secret Manager", "read", Fault(Status.FAILED_PRECONDITION, "The version is in DESTROYED state.")
    ),
    "wrong_server": Answered("Firestore", "get", Fault(Status.UNIMPLEMENTED, "Method not found.")),
}
TRANSLATED: dict[str, HedgerowError] = {
    "no_credentials": CLOUD.translate(
        auth.DefaultCredentialsError("Your default credentials were not found. See a page.")
    ),
    "quota": CLOUD.translate(google.RetryError("late", google.ResourceExhausted("Quota exceeded."))),
    "contention": CLOUD.translate(google.RetryError("late", google.Aborted("Too much contention.")), "runs/run_1"),
    "emulator_away": FIRESTORE.translate(google.RetryError("late", google.ServiceUnavailable("failed to connect"))),
    "unavailable": CLOUD.translate(google.RetryError("late", google.ServiceUnavailable("The service is away."))),
    "rejected": CLOUD.translate(google.InvalidArgument("What nobody foresaw."), "runs/run_1"),
}


def rows() -> dict[str, tuple[str, str, str]]:
    """Code -> what one sees, why, what to do."""
    return {code: (sees, why, do) for code, sees, why, do in ROW.findall(PAGE.read_text(encoding="utf-8"))}


async def met(request: pytest.FixtureRequest, code: str) -> HedgerowError:
    """The error of ours that leads to this code."""
    if code in TRANSLATED:
        return TRANSLATED[code]
    if code == "too_large":
        with pytest.raises(HedgerowError) as raised:
            await SecretManagerVault("hedge").write("con_1", SecretStr("p" * 65_537))
        return raised.value
    answered = FAULTS[code]
    async with called(request, answered.service, answered.verb) as ready:
        ready.faults.then(answered.fault)
        with pytest.raises(HedgerowError) as raised:
            await ready.call()
    return raised.value


def public(text: str, request: pytest.FixtureRequest) -> str:
    text = text.replace(str(request.getfixturevalue("project")), "PROJECT")
    return re.sub(r"127\.0\.0\.1:\d+", "HOST:PORT", re.sub(r"\bhedge\b|428901773355", "PROJECT", text))


@pytest.mark.parametrize("code", rows())
async def test_the_page_says_what_is_seen_and_what_to_do(request: pytest.FixtureRequest, code: str) -> None:
    sees, _, do = rows()[code]
    error = await met(request, code)

    assert error.code == code
    assert public(error.detail, request) == sees
    for command in re.findall(r"`([^`]+)`", do):
        assert command in public(error.hint, request).replace("`", ""), "the page promises what the hint does not say"
    assert LINK not in error.detail + error.hint


def test_every_code_the_adapters_know_is_on_the_page() -> None:
    adapters = Path(__file__).parents[2] / "hedgerow" / "adapters"
    files = [adapters / name for name in ("google_errors.py", "google.py", "cloud_scheduler.py", "firestore.py")]
    written = {code for file in files for code in re.findall(r'code="(\w+)"', file.read_text(encoding="utf-8"))}

    assert written | {"secret_gone", "too_large", "unavailable", "rejected"} == set(rows())


def test_a_message_comes_back_for_what_a_person_mends() -> None:
    """503 asks for it again; what can never succeed is another class."""
    mended = {code for code, error in TRANSLATED.items() if isinstance(error, MisconfiguredError)}
    assert mended == {"no_credentials"}
    assert all(isinstance(error, TransientError) for code, error in TRANSLATED.items() if code != "rejected")
    assert not TRANSLATED["rejected"].transient


def test_the_cloud_s_schedules_without_a_region_say_which_variable() -> None:
    config = Settings(store="firestore", queue="pubsub", project="hedge", pubsub_emulator=None)
    with pytest.raises(MisconfiguredError) as raised:
        wiring.schedules(config, wiring.build(config).store, ())
    assert raised.value.code == "wrong_region"
    assert "HEDGEROW_REGION" in raised.value.hint


def test_a_region_that_scheduler_does_not_serve_is_told_with_the_missing_right() -> None:
    said = (
        'The principal (user or service account) lacks IAM permission "cloudscheduler.jobs.list" for the resource '
        '"projects/hedge/locations/europe-west9" (or the resource may not exist).'
    )
    service = Service(
        "Cloud Scheduler", "cloudscheduler.googleapis.com", "hedge", "region europe-west9", "HEDGEROW_REGION"
    )
    told = service.translate(google.PermissionDenied(said))

    assert told.code == "no_rights"
    assert "cloudscheduler.jobs.list" in told.detail
    assert "region europe-west9 is right (HEDGEROW_REGION)" in told.hint


def test_an_index_that_is_being_built_asks_for_patience() -> None:
    said = "The query requires an index. That index is currently building and cannot be used yet."
    told = CLOUD.translate(google.FailedPrecondition(said), "collection runs: state")

    assert (told.code, told.detail) == ("index_missing", "Firestore still builds the index (collection runs: state).")
    assert "Wait" in told.hint
