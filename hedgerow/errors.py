"""The errors Hedgerow raises on purpose, and what each one means for the caller.

    HedgerowError
    ├── RefusedError                 the caller must change something; never retried
    │   ├── UnauthorizedError        401  no key, an unknown or a revoked one
    │   ├── ForbiddenError           403  the key's role may not do this
    │   ├── MissingError             404  no such thing, or another tenant's
    │   ├── MethodError              405  the path is right, the method is not
    │   ├── MalformedError           400  the body is not what it says it is
    │   ├── OversizedError           413  the body is too large
    │   │   └── TooLargeError        413  what should be kept or sent is larger than Google takes
    │   ├── InvalidError             422  a field's value cannot be used
    │   ├── StateConflictError       409  the thing is in a state that forbids this
    │   └── TooManyError             429  wait, then ask again
    ├── ConflictError                the store: somebody else wrote first; re-read and decide again
    ├── SecretGoneError              the vault: destroyed or never written
    ├── TransientError               a store, vault or queue of ours failed; worth retrying
    │   ├── NewerRecordError         a newer release wrote the record; deploy that one again
    │   └── MisconfiguredError       the deployment must be mended first; whoever waits may come back after
    ├── RejectedError                a store, vault or queue refuses the request itself; a bug of ours
    └── OutboundError                the far side or the way to it; `transient` says whether to retry

Every error carries `code` (for programs), `detail` (what happened) and `hint` (the
remedy, in the user's words). None ever carries a key.
"""

from __future__ import annotations

from typing import ClassVar


class HedgerowError(Exception):
    """Something Hedgerow refuses or cannot do."""

    code: str = "error"
    hint: str = ""
    transient: bool = False

    def __init__(self, detail: str, *, code: str | None = None, hint: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        if code is not None:
            self.code = code
        if hint is not None:
            self.hint = hint


class RefusedError(HedgerowError):
    """The request cannot be done as it stands; `status` is its HTTP answer.

    `members` are further fields of the problem document, such as the `id` of the
    connection that already exists.
    """

    status: ClassVar[int] = 400

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        hint: str | None = None,
        members: dict[str, object] | None = None,
    ) -> None:
        super().__init__(detail, code=code, hint=hint)
        self.members = members or {}


class UnauthorizedError(RefusedError):
    """No key was sent, or it is unknown or revoked."""

    status = 401
    code = "unauthorized"
    hint = "Send a valid key as `Authorization: Bearer KEY`."


class ForbiddenError(RefusedError):
    """The key is good, its role is not enough."""

    status = 403
    code = "forbidden"
    hint = "Use a key whose role allows this."


class MissingError(RefusedError):
    """No such thing, or it is another tenant's: the answer is the same."""

    status = 404
    code = "not_found"
    hint = "Check the id; list what this key can see."


class MethodError(RefusedError):
    """The path is there, but not for this method."""

    status = 405
    code = "method_not_allowed"
    hint = "Check the method; README lists the calls."


class MalformedError(RefusedError):
    """The body could not be read as what it claims to be."""

    status = 400
    code = "malformed"
    hint = "Send a JSON object, UTF-8 encoded."


class OversizedError(RefusedError):
    """The body is larger than the call takes."""

    status = 413
    code = "too_large"
    hint = "Send a smaller body."


class TooLargeError(OversizedError):
    """A record, a secret or a message is larger than the service that should take it allows; never retried."""

    hint = "Make it smaller, or split it; sending the same again changes nothing."


class InvalidError(RefusedError):
    """A field is missing, unknown or has a value that cannot be used."""

    status = 422
    code = "invalid"
    hint = "Mend the named field and send again."


class StateConflictError(RefusedError):
    """The thing is in a state that forbids this."""

    status = 409
    code = "conflict"
    hint = "Look at the thing's state, then decide again."


class TooManyError(RefusedError):
    """More calls than this key may make; `retry_after` is in whole seconds."""

    status = 429
    code = "too_many_requests"
    hint = "Wait as long as Retry-After says, then go on."

    def __init__(self, detail: str, *, retry_after: int) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class ConflictError(HedgerowError):
    """The store refused a commit: a record was not as expected, or existed already."""

    code = "write_conflict"


class SecretGoneError(HedgerowError):
    """The vault holds nothing under this reference."""

    code = "secret_gone"
    hint = "Give the personal API key again: `hedgerow connections rotate`, or `PATCH /v1/connections/{id}`."


class TransientError(HedgerowError):
    """Our own store, vault or queue failed; the same call may succeed later."""

    code = "unavailable"
    hint = "Try again in a moment."
    transient = True


class MisconfiguredError(TransientError):
    """Our own deployment lacks something: rights, a project, a database, an index, a topic.

    A person mends it; a message that met it comes back until then. `hint` is the remedy.
    """

    code = "misconfigured"
    hint = "Run `hedgerow doctor`; it names what is missing."


class NewerRecordError(TransientError):
    """A record has a newer schema than this release knows, so nothing of it is guessed at.

    Transient, because whatever met it is to come back: it is done once the newer release runs again.
    """

    code = "newer_record"
    hint = "Deploy the newer release again, or import the export that was made before it."

    def __init__(self, collection: str, id: str, *, stored: int, known: int) -> None:
        super().__init__(
            f"{collection}/{id} has schema version {stored}; this release reads {collection} up to version {known}."
        )


class RejectedError(HedgerowError):
    """Our own store, vault or queue refuses the request as it stands: the same call never succeeds."""

    code = "rejected"
    hint = "This is a bug of Hedgerow's; the log has what was refused."


class OutboundError(HedgerowError):
    """A call out of Hedgerow failed. `retry_after` is in seconds, None when not said."""

    code = "outbound_failed"

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        hint: str | None = None,
        transient: bool = False,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail, code=code, hint=hint)
        self.transient = transient
        self.status = status
        self.retry_after = retry_after
