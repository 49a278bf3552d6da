"""What can go wrong between Hedgerow and a PostHog, each with its remedy and whether a retry may help.

Pure: `refusal` reads an answer that is not 2xx, `unreached` an error of the way there.
Which is which follows PostHog's own source, not its status codes alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hedgerow.errors import OutboundError

Code = Literal[
    "unreachable",
    "certificate_invalid",
    "address_refused",
    "timed_out",
    "blocked_before_posthog",
    "not_posthog",
    "redirected",
    "call_missing",
    "malformed_answer",
    "key_refused",
    "scope_missing",
    "project_forbidden",
    "personal_keys_forbidden",
    "key_bound_to_projects",
    "not_for_keys",
    "project_missing",
    "rate_limited",
    "concurrency_limited",
    "query_too_heavy",
    "query_invalid",
    "busy",
    "gateway",
    "billing_limited",
    "server_error",
]


@dataclass(frozen=True, slots=True)
class Remedy:
    """What a user can do about a code, and whether waiting may be enough."""

    hint: str
    transient: bool = False


REMEDIES: dict[Code, Remedy] = {
    "unreachable": Remedy(
        "Check the address. A self-hosted PostHog must be reachable from the internet: let its firewall accept incoming connections on the HTTPS port.",
        transient=True,
    ),
    "certificate_invalid": Remedy(
        "Give the host a valid certificate for its name, with the intermediate certificates, from an authority that browsers trust."
    ),
    "address_refused": Remedy(
        "Give the public https:// address of the instance. For one in a private network the operator of Hedgerow adds its host:port to HEDGEROW_ALLOWED_PRIVATE_HOSTS."
    ),
    "timed_out": Remedy(
        "Try again. If it stays: a firewall that drops connections looks like this too; let it accept incoming connections on the HTTPS port.",
        transient=True,
    ),
    "blocked_before_posthog": Remedy(
        "Something in front of PostHog (Cloudflare, a firewall, a login page) refused the call. Let requests to /api/ with the User-Agent `Hedgerow` through."
    ),
    "not_posthog": Remedy(
        "Give the address you open PostHog at, without a path: https://us.posthog.com, https://eu.posthog.com or your own instance."
    ),
    "call_missing": Remedy("This PostHog is too old, or its API is only partly served at this address: update it."),
    "redirected": Remedy("Give the address the redirect points to."),
    "malformed_answer": Remedy(
        "Try again. If it stays, something between Hedgerow and PostHog changes answers, or this PostHog is too old: update it.",
        transient=True,
    ),
    "key_refused": Remedy(
        "Check that the personal API key is active and not revoked, and that it was made in the region of this host. Make a new one in PostHog: Settings > User > Personal API keys."
    ),
    "scope_missing": Remedy("Add the scope to the key in PostHog: Settings > User > Personal API keys > Edit."),
    "project_forbidden": Remedy("Let the key reach this project, or use a key of somebody who is a member of it."),
    "personal_keys_forbidden": Remedy(
        "Ask an admin of the PostHog organisation to allow personal API keys (Settings > Organization > Security), or use an admin's key."
    ),
    "key_bound_to_projects": Remedy(
        "Nothing is wrong with a key bound to projects: name the project with `project_id`."
    ),
    "not_for_keys": Remedy("This PostHog does not open the call to personal API keys: update it."),
    "project_missing": Remedy(
        "Check `project_id`: it is the number in the address of every page of the project (/project/12345), in the region of this host."
    ),
    "rate_limited": Remedy(
        "Wait for the rate limit to reset: Hedgerow does, and goes on by itself. If it comes back often, sync less often with `every`, or ask PostHog for higher limits.",
        transient=True,
    ),
    "concurrency_limited": Remedy(
        "Other queries of this project hold its slots: Hedgerow tries again by itself.", transient=True
    ),
    "query_too_heavy": Remedy("Hedgerow asks again in smaller parts; ask for fewer days if you ask by hand."),
    "query_invalid": Remedy(
        "This PostHog does not know something in the query. A self-hosted one may be too old: update it."
    ),
    "busy": Remedy("PostHog is busy or in maintenance: Hedgerow tries again by itself.", transient=True),
    "gateway": Remedy(
        "PostHog is down or restarting behind its gateway: Hedgerow tries again by itself.", transient=True
    ),
    "billing_limited": Remedy(
        "Raise the organisation's billing limit in PostHog (Settings > Billing), or wait for the next period."
    ),
    "server_error": Remedy(
        "PostHog failed on its side: Hedgerow tries again. If it stays, look at status.posthog.com or your instance's log.",
        transient=True,
    ),
}


class PostHogError(OutboundError):
    """A call to PostHog that brought no answer of use. `code` is one of `REMEDIES`."""

    code: Code

    def __init__(
        self,
        detail: str,
        *,
        code: Code,
        hint: str | None = None,
        status: int | None = None,
        retry_after: float | None = None,
        scope: str | None = None,
    ) -> None:
        remedy = REMEDIES[code]
        super().__init__(
            detail,
            code=code,
            hint=hint or remedy.hint,
            transient=remedy.transient,
            status=status,
            retry_after=retry_after,
        )
        self.scope = scope
