"""The messages in flight. Each names its topic, and its key: what makes two of it the same, and why."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, model_validator

from hedgerow.records import Instant


class Message(BaseModel):
    """Something asked for, or something that happened. Delivered at least once, in any order."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    topic: ClassVar[str]

    @property
    def key(self) -> str:
        """What makes two deliveries the same message."""
        raise TypeError(f"{type(self).__name__} declares no key")


class SyncRequested(Message):
    """A sync is wanted: a run that exists already, or the scheduled one of a connection.

    Key: the run where there is one; else connection and due time, from which the run's
    id is derived, so that a doubled tick asks for the same run and a missed one heals.
    """

    topic = "sync-requested"

    connection_id: str
    run_id: str | None = None
    due_at: Instant | None = None

    @property
    def key(self) -> str:
        """Run, or connection and due time."""
        return self.run_id or f"{self.connection_id}@{self.due_at.isoformat() if self.due_at else ''}"


class RunEnded(Message):
    """A run of a connection ended with something to look at: points, a failure, the end of failures, or rules that want every success.

    Key: the run, which ends once.
    """

    topic = "run-ended"

    connection_id: str
    run_id: str

    @property
    def key(self) -> str:
        """The run."""
        return self.run_id


class NotificationDue(Message):
    """A notification waits to be sent. Key: the notification and its attempt, so that a later try is another message."""

    topic = "notification-due"

    notification_id: str
    attempt: int = 0

    @property
    def key(self) -> str:
        """The notification and the attempt."""
        return f"{self.notification_id}#{self.attempt}"


class PurgeRequested(Message):
    """Finish an ending somebody began: of a connection, of a tenant, of an attempt to write a secret that died.

    Whoever takes it looks at what stands and does what is left: only its target may
    destroy what a tick found. Key: the connection (or channel, where its draft died), or
    the tenant, which is purged whole.
    """

    topic = "purge-requested"

    connection_id: str | None = None
    tenant_id: str | None = None

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if (self.connection_id is None) == (self.tenant_id is None):
            raise ValueError("names a connection or a tenant, and not both")
        return self

    @property
    def key(self) -> str:
        """The connection, or the tenant."""
        return self.connection_id or self.tenant_id or ""
