"""`hedgerow.yaml`: what a file may state, read with the place a fault is in. Secrets are only ever named in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError, model_validator

from functions.alerts.rules.rule_views import TemplateWanted
from functions.alerts.spec import RuleForm
from functions.capture.catalogue.catalog_shape import CatalogForm
from hedgerow.cli.environment import variable
from hedgerow.cli.stops import FAILED, USAGE, Stop

if TYPE_CHECKING:
    from collections.abc import Mapping

STATED_FILE = Path("hedgerow.yaml")
MOST_BYTES = 4 * 1024 * 1024
Name = Annotated[str, Field(min_length=1, max_length=200)]


def _sort_of(rule: object) -> str:
    """A rule is whole, or made by a template it names."""
    is_template = "template" in rule if isinstance(rule, dict) else isinstance(rule, TemplateWanted)
    return "template" if is_template else "rule"


StatedRule = Annotated[
    Annotated[TemplateWanted, Tag("template")] | Annotated[RuleForm, Tag("rule")], Discriminator(_sort_of)
]


class _Stated(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class SecretReference(_Stated):
    """Where a secret is read when the file is applied: an environment variable, or a file. Never the secret itself."""

    env: Name | None = None
    file: Name | None = None

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if (self.env is None) == (self.file is None):
            raise ValueError("needs either `env` or `file`, which says where the secret is")
        return self


class StatedChannel(_Stated):
    """A channel, by its name. `url` is a webhook's address; `token` and `slack_channel` a Slack bot's room."""

    kind: Literal["slack", "discord", "teams", "google_chat", "webhook"] | None = None
    url: SecretReference | None = None
    token: SecretReference | None = None
    slack_channel: Name | None = None
    weekly_budget: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _has_a_secret(self) -> Self:
        if (self.url is None) == (self.token is None):
            raise ValueError("needs either `url`, or `token` with `slack_channel`")
        return self


class StatedConnection(_Stated):
    """A connection that exists, found by `id`, or else by its name; credentials are never in the file.

    What is left out is left alone: without `rules` the rules stay as they are.
    """

    id: Name | None = None
    events: tuple[Name, ...] | None = Field(default=None, max_length=100, description="Pinned events.")
    rules: tuple[StatedRule, ...] | None = Field(default=None, max_length=100)
    catalog: CatalogForm | Name | None = Field(
        default=None, description="The event catalogue, or the path of its JSON file, from this file's folder."
    )


class Stated(_Stated):
    """A whole file."""

    version: Literal[1]
    channels: dict[Name, StatedChannel] = Field(default={}, max_length=50)
    default_channel: Name | None = None
    connections: dict[Name, StatedConnection] = Field(default={}, max_length=500)


def read(file: Path) -> Stated:
    """The file, checked; a stop that names the field, in the file's own words."""
    import yaml

    try:
        if file.stat().st_size > MOST_BYTES:
            raise Stop(USAGE, f"{file} is larger than 4 MB.")
        text = file.read_text(encoding="utf-8")
        # A few hundred bytes of names for names may stand for terabytes.
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):
            raise Stop(FAILED, f"{file} uses an alias (*name).", hint="Write it out; a file has no use for aliases.")
        document = yaml.safe_load(text)
    except OSError as error:
        raise Stop(USAGE, f"{file} cannot be read: {error.strerror}.", hint="Name it: -f FILE") from None
    except UnicodeDecodeError:
        raise Stop(FAILED, f"{file} is not UTF-8.") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise Stop(FAILED, f"{file} is not YAML: {_where(error)}") from None
    if not isinstance(document, dict):
        raise Stop(FAILED, f"{file} states nothing.", hint="Begin with `version: 1`, or write one: hedgerow export")
    return parse(document, str(file))


def parse(document: Mapping[str, object], file: str = "the file") -> Stated:
    """A document that was read; a stop for the first thing wrong."""
    try:
        return Stated.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        words = {
            "extra_forbidden": "is no field of it",
            "missing": "is missing",
            "model_type": "says where a secret is, {env: NAME} or {file: PATH}; the secret itself does not belong here"
            if first["loc"][-1] in ("url", "token")
            else "must be a mapping",
        }
        why = words.get(first["type"], first["msg"].removeprefix("Value error, "))
        raise Stop(
            FAILED, f"{file}: {where} {why}.", hint="docs/apply.md describes the file; `hedgerow schema` prints it."
        ) from None


def place_of(reference: SecretReference | None) -> str:
    """Where a reference points, for people."""
    if reference is None:
        return ""
    return f"The variable {reference.env}" if reference.env is not None else f"The file {reference.file}"


def is_there(reference: SecretReference, folder: Path) -> bool:
    """Does it lead to anything?"""
    if reference.env is not None:
        return bool(variable(reference.env))
    return (folder / (reference.file or "")).exists()


def secret(reference: SecretReference, folder: Path) -> str:
    """What a reference leads to; a stop when there is nothing. The value goes nowhere but into the request."""
    if reference.env is not None:
        found = variable(reference.env)
        if not found:
            raise Stop(USAGE, f"The variable {reference.env} is not set, which the file names for a secret.")
        return found
    path = folder / (reference.file or "")
    try:
        found = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise Stop(USAGE, f"The file {path} cannot be read, which is named for a secret.") from None
    if not found:
        raise Stop(USAGE, f"The file {path}, which is named for a secret, is empty.")
    return found


def schema() -> dict[str, object]:
    """The JSON Schema of a file, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "hedgerow.yaml",
        **Stated.model_json_schema(),
    }


def _where(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "it is nested too deeply"
    return f"{problem}, line {mark.line + 1}." if mark is not None else f"{problem}."
