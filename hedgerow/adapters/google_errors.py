"""What Google's services refuse, in our words: transient or not, with the remedy for whoever meets it.

The one place that reads Google's status codes, reasons and sentences. Where a code alone
does not tell (FAILED_PRECONDITION, PERMISSION_DENIED) the reason in the answer's ErrorInfo
decides, then the sentence; the sentences are as people have reported them, unverified.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hedgerow.errors import HedgerowError, MisconfiguredError, RejectedError, TooLargeError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from google.api_core.exceptions import GoogleAPICallError

APPLY = "terraform apply"
# Patterns as texts, each compiled when something is first refused: a start pays for none.
PERMISSION = r"permission[s]? (?:denied on |for )?[\"'`]?([a-z]+\.[A-Za-z]+\.[A-Za-z]+)"
TOO_LARGE = r"exceeds? (the )?(maximum|limit)|longer than|larger than max|maximum entity size|too (large|big)"
NO_DATABASE = r"\bdatabase \S+ does not exist|does not contain an active .*database|datastore mode"
NO_PROJECT = r"project \S* ?(was )?not found|project .*(does not exist|has been deleted)|resource project"
NO_REGION = r"location must equal|not a valid location|location .*(not found|unsupported|not supported)"
IN_REGION = r"projects/[^/\s\"]+/locations/[^/\s\"]+\""


@dataclass(frozen=True, slots=True)
class Service:
    """One of Google's services as we use it; what the remedies name.

    `place` is what of ours must exist there ("database (default)", "region europe-west1"),
    `setting` the variable that names it, `emulator` the host:port in its stead, if any.
    """

    name: str
    api: str
    project: str
    place: str = ""
    setting: str = "HEDGEROW_PROJECT"
    emulator: str | None = None
    emulator_setting: str = ""

    @contextmanager
    def errors(self, about: str | Callable[[], str] = "") -> Iterator[None]:
        """Turn what Google's client raises into an error of ours. `about`, or what it answers, is what was asked for."""
        from google.api_core.exceptions import GoogleAPIError
        from google.auth.exceptions import GoogleAuthError

        try:
            yield
        except (GoogleAPIError, GoogleAuthError) as error:
            raise self.translate(error, about if isinstance(about, str) else about()) from error

    def translate(self, error: Exception, about: str = "") -> HedgerowError:
        """The error of ours for one of `google.api_core` or `google.auth`."""
        from google.api_core.exceptions import GoogleAPICallError, RetryError
        from google.auth.exceptions import GoogleAuthError, RefreshError, TransportError

        if isinstance(error, RetryError) and error.cause is not None:
            return self.translate(error.cause, about)
        if isinstance(error, TransportError) or (isinstance(error, RefreshError) and error.retryable):
            return TransientError(f"{self.name} cannot be reached: Google's token server does not answer.")
        if isinstance(error, GoogleAuthError):
            return self._no_credentials(str(error.args[0]) if error.args else type(error).__name__)
        if isinstance(error, GoogleAPICallError):
            return self._of_status(error, about)
        return TransientError(f"{self.name} cannot be reached: {error}")

    def _of_status(self, error: GoogleAPICallError, about: str) -> HedgerowError:
        said = str(error.message or "")
        status = error.grpc_status_code.name if error.grpc_status_code is not None else ""
        match status:
            case "PERMISSION_DENIED":
                return self._denied(error, said, about)
            case "UNAUTHENTICATED":
                return self._no_credentials(said)
            case "UNAVAILABLE":
                return self._away(said)
            case "ABORTED":
                return TransientError(
                    f"{self.name}: several writers met{_of(about)}: {said}",
                    code="contention",
                    hint="It is tried again by itself. If it stays, fewer calls at once should write the same thing.",
                )
            case "RESOURCE_EXHAUSTED" if not re.search(TOO_LARGE, said, re.IGNORECASE):
                return self._over_quota(said)
            case "INVALID_ARGUMENT" | "RESOURCE_EXHAUSTED" if re.search(TOO_LARGE, said, re.IGNORECASE):
                return TooLargeError(f"{self.name} takes nothing this large{_of(about)}: {said}")
            case "NOT_FOUND" | "FAILED_PRECONDITION" | "INVALID_ARGUMENT":
                return self._astray(status, said, about)
            case "UNIMPLEMENTED":
                return self._another_server(said)
            case "OUT_OF_RANGE" | "ALREADY_EXISTS":
                return RejectedError(f"{self.name} refuses the request{_of(about)}: {said}")
        return TransientError(f"{self.name} did not answer: {said}")

    def _denied(self, error: GoogleAPICallError, said: str, about: str) -> HedgerowError:
        reason = error.reason or ""
        if reason == "SERVICE_DISABLED" or "has not been used in project" in said:
            return MisconfiguredError(
                f"{self.name} is not enabled in project {self.project}.",
                code="service_disabled",
                hint=f"Run {APPLY}, or gcloud services enable {self.api} --project {self.project}; it takes minutes.",
            )
        if reason == "BILLING_DISABLED" or "billing" in said.lower():
            return MisconfiguredError(
                f"{self.name}: project {self.project} has no billing account.",
                code="no_billing",
                hint=f"Link one: gcloud billing projects link {self.project} --billing-account ACCOUNT.",
            )
        if reason in {"CONSUMER_INVALID", "RESOURCE_PROJECT_INVALID"} or re.search(NO_PROJECT, said, re.IGNORECASE):
            return self._wrong_project()
        metadata = dict(error.metadata or {})
        found = re.search(PERMISSION, said, re.IGNORECASE)
        permission = metadata.get("permission") or (found[1] if found else "")
        or_absent = ", or there is no such thing" if "may not exist" in said else ""
        lacks = f": it lacks {permission}{or_absent}." if permission else f": {said}"
        # Cloud Scheduler answers for a region it does not serve as for one whose jobs are not ours to see.
        region = f" See too that {self.place} is right ({self.setting})." if re.search(IN_REGION, said) else ""
        return MisconfiguredError(
            f"{self.name} refuses this account{_of(about)}{lacks}",
            code="no_rights",
            hint=f"Run {APPLY}: it gives every function its roles; an operator needs the roles of "
            f"docs/operations/google-errors.md.{region}",
        )

    def _astray(self, status: str, said: str, about: str) -> HedgerowError:
        """What is not there, or not as it must be."""
        if "requires an index" in said or ("index" in said and "not ready" in said):
            return self._without_index(said, about)
        if re.search(NO_DATABASE, said, re.IGNORECASE):
            return MisconfiguredError(
                f"Project {self.project} has no Firestore {self.place} in native mode.",
                code="no_database",
                hint=f"Check {self.setting} and HEDGEROW_PROJECT, then run {APPLY}: it creates the database.",
            )
        if re.search(NO_REGION, said, re.IGNORECASE):
            return MisconfiguredError(
                f"{self.name} does not work in {self.place}.",
                code="wrong_region",
                hint=f"Set {self.setting} to the region of the deployment: terraform output operator_environment.",
            )
        if re.search(NO_PROJECT, said, re.IGNORECASE) or status == "NOT_FOUND":
            return self._wrong_project()
        return RejectedError(f"{self.name} refuses the request{_of(about)}: {said}")

    def _without_index(self, said: str, about: str) -> HedgerowError:
        # The sentence's link opens Google's console at that index; it names the project and nothing secret,
        # but an index made by hand is one that Terraform does not know.
        if "currently building" in said or "not ready" in said:
            return MisconfiguredError(
                f"Firestore still builds the index ({about}).",
                code="index_missing",
                hint=f"Wait: gcloud firestore indexes composite list --project {self.project} shows when it is READY.",
            )
        return MisconfiguredError(
            f"Firestore lacks the index ({about}).",
            code="index_missing",
            hint=f"Run {APPLY}: it creates every index the records declare.",
        )

    def _wrong_project(self) -> HedgerowError:
        return MisconfiguredError(
            f"{self.name} knows no project {self.project or '(none is set)'}, or nothing of ours in it.",
            code="wrong_project",
            hint="Set HEDGEROW_PROJECT to the project's id, not its name: gcloud projects list; "
            f"if it is right, run {APPLY}.",
        )

    def _away(self, said: str) -> HedgerowError:
        if "Getting metadata from plugin failed" in said:
            return self._no_credentials(said.partition("error: ")[2] or said)
        if self.emulator:
            return TransientError(
                f"{self.name}'s emulator at {self.emulator} does not answer.",
                code="emulator_away",
                hint=f"Start it again on the same port; {self.emulator_setting} says where it is looked for.",
            )
        return TransientError(f"{self.name} did not answer: {said}")

    def _over_quota(self, said: str) -> HedgerowError:
        return TransientError(
            f"{self.name} has had more calls than its quota: {said}",
            code="quota",
            hint="It is tried again by itself. If it stays, raise the quota: "
            f"console.cloud.google.com/iam-admin/quotas?project={self.project}&service={self.api}.",
        )

    def _no_credentials(self, said: str) -> HedgerowError:
        return MisconfiguredError(
            f"{self.name}: this process has no valid Google credentials ({_first_sentence(said)}).",
            code="no_credentials",
            hint="A person: gcloud auth application-default login. A function: it needs its service account, "
            f"which {APPLY} sets.",
        )

    def _another_server(self, said: str) -> HedgerowError:
        return MisconfiguredError(
            f"What answers at {self.emulator or self.api} is not {self.name}: {said}",
            code="wrong_server",
            hint=f"Check {self.emulator_setting or 'the variables of the emulators'}: "
            "each emulator has a port of its own.",
        )


def is_worth_repeating(error: Exception) -> bool:
    """Whether the same call may succeed in a moment. Every call of ours may be made twice."""
    from google.api_core import exceptions as google

    passing = (
        google.ServiceUnavailable,
        google.ResourceExhausted,
        google.Aborted,
        google.InternalServerError,
        # What a call meets whose connection ends under it.
        google.Unknown,
    )
    return isinstance(error, passing) and not re.search(TOO_LARGE, str(error.message or ""), re.IGNORECASE)


def is_without_database(error: GoogleAPICallError) -> bool:
    """Whether a refused write met no database at all; otherwise it met a record it did not expect."""
    return bool(re.search(NO_DATABASE, str(error.message or ""), re.IGNORECASE))


def _of(about: str) -> str:
    return f" ({about})" if about else ""


def _first_sentence(said: str) -> str:
    return said.strip().split(". ")[0].split("\n")[0].rstrip(".")
