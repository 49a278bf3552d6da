"""Every setting, described once; the only reader of the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

from hedgerow.addresses import Allowed
from hedgerow.errors import MisconfiguredError

PREFIX = "HEDGEROW_"
SEALING_BYTES = 32


class Settings(BaseModel):
    """Read from `HEDGEROW_*` where they are not given; `docs/settings.md` is generated from these descriptions."""

    model_config = ConfigDict(frozen=True, extra="ignore", validate_default=True, hide_input_in_errors=True)

    admin_key: SecretStr | None = Field(
        default=None, description="The operator's key: tenants and ticks. `hedgerow dev` makes one when unset."
    )
    data: Path = Field(default=Path(".hedgerow"), description="Folder of the embedded store, queue and sealing key.")
    store: Literal["sqlite", "firestore"] = Field(default="sqlite", description="Where state lives.")
    queue: Literal["embedded", "pubsub"] = Field(default="embedded", description="What carries work.")
    vault: Literal["sealed", "secret_manager"] = Field(default="sealed", description="Where personal API keys live.")
    project: str = Field(
        default="", description="The Google Cloud project; needed for Firestore, Pub/Sub and Secret Manager."
    )
    database: str = Field(default="(default)", description="The Firestore database.")
    firestore_emulator: str | None = Field(
        default=None,
        validation_alias="FIRESTORE_EMULATOR_HOST",
        description="host:port of Firestore's emulator; Google's own variable.",
    )
    pubsub_emulator: str | None = Field(
        default=None,
        validation_alias="PUBSUB_EMULATOR_HOST",
        description="host:port of Pub/Sub's emulator; Google's own variable.",
    )
    topic_prefix: str = Field(default="hedgerow-", description="What the names of our Pub/Sub topics begin with.")
    secret_prefix: str = Field(default="hedgerow-", description="What the names of our secrets begin with.")
    key_days: int = Field(
        default=365,
        ge=0,
        le=36_500,
        description="After how many days a personal API key should be replaced: `hedgerow doctor` tells of it a month before, of fewer than 90 days in their last third. 0: never.",
    )
    region: str = Field(
        default="", description="Where Cloud Scheduler's jobs are, such as europe-west1; for operators."
    )
    schedule_prefix: str = Field(
        default="hedgerow-", description="What the names of our jobs in Cloud Scheduler begin with."
    )
    sealing_key: SecretStr | None = Field(
        default=None, description="32 bytes, base64: the sealed vault's key where no file holds it."
    )
    tiers_file: Path | None = Field(default=None, description="Another tiers.json than the one that ships.")
    allowed_private_hosts: tuple[str, ...] = Field(
        default=(),
        description="host:port, comma-separated: private addresses the outbound guard lets through, plain http too.",
    )
    invoker: SecretStr | None = Field(
        default=None,
        description="What schedule and topic targets demand as bearer where no platform guards them; set by `hedgerow dev`.",
    )
    identity: Literal["off", "claims", "signature"] = Field(
        default="off",
        description="How schedule and topic targets look at the OIDC token of a call: not at all, at its claims, which is right behind IAM, or at its signature too.",
    )
    invoker_emails: tuple[str, ...] = Field(
        default=(),
        description="Service accounts, comma-separated, whose tokens schedule and topic targets accept; needed unless `HEDGEROW_IDENTITY` is `off`.",
    )
    audience: str = Field(
        default="",
        description="What tokens must be for. Needed when `HEDGEROW_IDENTITY` is `signature`; without it `claims` takes tokens for the address that was called, operators' for `HEDGEROW_PUBLIC_URL`.",
    )
    operator_emails: tuple[str, ...] = Field(
        default=(),
        description="Google accounts, comma-separated, whose identity tokens the API takes in place of the admin key.",
    )
    google_certs: str = Field(
        default="https://www.googleapis.com/oauth2/v1/certs",
        description="Where Google's public keys are, as certificates by key id.",
    )
    new_users_days: int = Field(
        default=365, ge=1, le=3650, description="How far back `posthog_new_users` looks for an earlier event."
    )
    requests_per_minute: int = Field(
        default=600, ge=1, description="Calls one key may make per minute and instance before 429."
    )
    body_bytes: int = Field(default=1_048_576, ge=1024, description="The largest body an API call takes.")
    query_seconds: float = Field(
        default=75.0, gt=0, description="How long to wait for one HogQL answer: PostHog queues 30 s and runs 10 s."
    )
    capture_prefix: str = Field(
        default="", description="A path before every capture path, such as /ph; without it the paths work too."
    )
    capture_bytes: int = Field(
        default=33_554_432,
        ge=1_048_576,
        description="The largest capture body, as sent and unpacked; recordings twice.",
    )
    forward_seconds: float = Field(
        default=1.0, gt=0, le=8, description="How long PostHog has to take an event before it goes into the outbox."
    )
    forwarded_hops: int = Field(
        default=0,
        ge=0,
        le=10,
        description="How many proxies in front append to X-Forwarded-For: 0 takes the peer's own address, 1 the last entry.",
    )
    fallback_seconds: int = Field(
        default=86_400,
        ge=0,
        description="How old the last good answer to flags, remote config and surveys may be while PostHog is down; 0: never.",
    )
    recordings: Literal["keep", "drop"] = Field(
        default="keep",
        description="Session recordings while PostHog is down: kept in the outbox, or dropped and counted.",
    )
    static_host: str = Field(
        default="https://us-assets.i.posthog.com",
        description="Where /static scripts come from when neither the request nor the page tells the project.",
    )
    public_url: str = Field(
        default="",
        description="This installation's own https:// address, which links in chat lead to; `hedgerow dev` sets its own.",
    )
    operator_webhook: SecretStr | None = Field(
        default=None,
        description="Where the operator is told of connections in trouble: a webhook of Slack, Discord, Teams, Google Chat, or any https:// address.",
    )
    operator_webhook_secret: SecretStr | None = Field(
        default=None,
        description="whsec_…: signs what goes to an operator's address that belongs to no chat (Standard Webhooks).",
    )
    service: str = Field(
        default="",
        validation_alias="K_SERVICE",
        description="The Cloud Run service this is; the platform's own variable, and the name metrics go under.",
    )
    telemetry_endpoint: str = Field(
        default="",
        description="Where OpenTelemetry metrics go: the base address of an OTLP receiver over HTTP, such as https://otlp.example.com; empty: nowhere.",
    )
    telemetry_headers: SecretStr | None = Field(
        default=None,
        description="Headers of that receiver, `name=value` with commas between, as OTEL_EXPORTER_OTLP_HEADERS has them.",
    )
    slack_api: str = Field(
        default="https://slack.com/api", description="Slack's Web API, for channels with a bot token."
    )
    us_host: str = Field(
        default="https://us.posthog.com", description="PostHog's US cloud, tried when a key is unknown in the EU."
    )
    eu_host: str = Field(
        default="https://eu.posthog.com", description="PostHog's EU cloud, tried when a key is unknown in the US."
    )

    @model_validator(mode="before")
    @classmethod
    def _with_environment(cls, given: Mapping[str, object]) -> dict[str, object]:
        # Read here rather than by pydantic-settings, whose import is a tenth of what a function's start may cost.
        here = {name.upper(): value for name, value in os.environ.items()}
        read: dict[str, object] = {}
        for name, field in cls.model_fields.items():
            alias = field.validation_alias
            variable = alias if isinstance(alias, str) else f"{PREFIX}{name.upper()}"
            if variable in here:
                read[alias if isinstance(alias, str) else name] = here[variable]
        return {**read, **given}

    @field_validator("allowed_private_hosts", "invoker_emails", "operator_emails", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("allowed_private_hosts")
    @classmethod
    def _in_pairs(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        Allowed.of(value)
        return value

    @field_validator("sealing_key")
    @classmethod
    def _whole(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            from base64 import b64decode

            try:
                is_whole = len(b64decode(value.get_secret_value(), validate=True)) == SEALING_BYTES
            except ValueError:
                is_whole = False
            if not is_whole:
                raise ValueError(f"must be {SEALING_BYTES} bytes in base64")
        return value


@cache
def settings() -> Settings:
    """The settings of this process, read once; `MisconfiguredError` says which variable cannot be used."""
    return read()


def read() -> Settings:
    """The environment's settings; `MisconfiguredError` says which variable cannot be used."""
    try:
        return Settings()
    except ValidationError as error:
        # Pydantic's own words leave the refused value out: it may be a key.
        wrong = "; ".join(
            f"{_variable(str(each['loc'][0]))}: {each['msg'].removeprefix('Value error, ').rstrip('.')}"
            for each in error.errors()
        )
        raise MisconfiguredError(
            f"A setting cannot be used: {wrong}.", code="bad_setting", hint="docs/settings.md describes them."
        ) from None


def _variable(name: str) -> str:
    field = Settings.model_fields.get(name)
    alias = field.validation_alias if field is not None else name
    return alias if isinstance(alias, str) else f"{PREFIX}{name.upper()}"
