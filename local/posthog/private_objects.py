"""How the private API shows what it has: projects, users, keys, flags, definitions, persons."""

from typing import Any
from uuid import NAMESPACE_OID, uuid5

from local.posthog.definitions import Definitions, EventDefinition
from local.posthog.installation import Installation
from local.posthog.persons import Person
from local.posthog.project import FeatureFlag, Organization, PersonalKey, Project
from local.posthog.query_status import iso

_HIDDEN_PROPERTIES = ("distinct_id", "$set", "$set_once", "$groups")


def project(found: Project, installation: Installation) -> dict[str, Any]:
    """A project, its public token included."""
    storage = installation.storage(found.id)
    return {
        "id": found.id,
        "uuid": found.uuid,
        "organization": found.organization_id,
        "api_token": found.token,
        "name": found.name,
        "completed_snippet_onboarding": storage.has_events(),
        "has_completed_onboarding_for": {},
        "ingested_event": storage.has_events(),
        "is_demo": False,
        "timezone": found.timezone,
        "access_control": False,
        "app_urls": [],
        "anonymize_ips": False,
        "test_account_filters": [],
        "week_start_day": found.week_start_day,
        "group_types": [
            {"group_type": name, "group_type_index": index} for name, index in storage.ledger.groups.types.items()
        ],
        "created_at": iso(found.created_at),
    }


def organization(found: Organization, installation: Installation) -> dict[str, Any]:
    """An organisation with its projects."""
    projects = [
        p for p in installation.directory.contents.projects if p.organization_id == found.id and not p.is_deleted
    ]
    return {
        "id": found.id,
        "name": found.name,
        "slug": found.name.lower().replace(" ", "-"),
        "membership_level": 15,
        "teams": [project(p, installation) for p in projects],
        "projects": [project(p, installation) for p in projects],
        "available_product_features": [],
    }


def user(key: PersonalKey, installation: Installation) -> dict[str, Any]:
    """The person behind a key."""
    current = installation.directory.find_project(key.current_project_id)
    home = installation.directory.organization(key.organization_id)
    return {
        "uuid": str(uuid5(NAMESPACE_OID, f"user:{key.organization_id}")),
        "distinct_id": str(uuid5(NAMESPACE_OID, f"distinct:{key.organization_id}")),
        "email": "local@example.com",
        "first_name": "Local",
        "organization": organization(home, installation),
        "team": project(current, installation) if current else None,
        "organizations": [{"id": home.id, "name": home.name}],
    }


def personal_key(key: PersonalKey) -> dict[str, Any]:
    """A key, masked."""
    return {
        "id": key.id,
        "label": key.label,
        "value": None,
        "mask_value": f"{key.token[:4]}...{key.token[-4:]}",
        "created_at": iso(key.created_at),
        "last_used_at": None,
        "user_id": 1,
        "scopes": list(key.scopes) or ["*"],
        "scoped_teams": list(key.scoped_teams),
        "scoped_organizations": list(key.scoped_organizations),
    }


def flag(found: FeatureFlag) -> dict[str, Any]:
    """A feature flag with its filters."""
    groups = found.filters.get("groups")
    first = groups[0] if isinstance(groups, list) and groups else {}
    return {
        "id": found.id,
        "name": found.name,
        "key": found.key,
        "filters": found.filters,
        "deleted": found.deleted,
        "active": found.active,
        "created_by": None,
        "created_at": iso(found.created_at),
        "updated_at": iso(found.updated_at),
        "version": found.version,
        "is_simple_flag": not found.filters.get("multivariate"),
        "rollout_percentage": first.get("rollout_percentage") if isinstance(first, dict) else None,
        "ensure_experience_continuity": False,
        "experiment_set": [],
        "surveys": None,
        "tags": [],
        "evaluation_runtime": "all",
        "is_remote_configuration": False,
        "has_encrypted_payloads": False,
        "status": "ACTIVE" if found.active else "INACTIVE",
        "last_called_at": None,
    }


def event_definition(found: EventDefinition, project_id: int) -> dict[str, Any]:
    """An event name that has been seen."""
    return {
        "id": str(uuid5(NAMESPACE_OID, f"{project_id}:event:{found.name}")),
        "name": found.name,
        "created_at": iso(found.created_at),
        "last_seen_at": iso(found.last_seen_at),
        "last_updated_at": iso(found.last_seen_at),
        "tags": [],
        "enforcement_mode": "allow",
        "primary_property": None,
        "is_action": False,
        "action_id": None,
        "created_by": None,
    }


def property_definitions(definitions: Definitions, project_id: int, owner: str) -> list[dict[str, Any]]:
    """The properties of events, persons or groups that PostHog lists."""
    return [
        {
            "id": str(uuid5(NAMESPACE_OID, f"{project_id}:{owner}:{name}")),
            "name": name,
            "is_numerical": kind == "Numeric",
            "property_type": kind or None,
            "tags": [],
            "is_seen_on_filtered_events": None,
        }
        for (found, name), kind in sorted(dict(definitions.properties).items())
        if found == owner and name not in _HIDDEN_PROPERTIES and not name.startswith("$group_")
    ]


def person(found: Person) -> dict[str, Any]:
    """A person with all distinct ids."""
    ids = sorted(found.distinct_ids)
    name = found.properties.get("email") or found.properties.get("name") or (ids[0] if ids else "")
    return {
        "id": str(found.id),
        "uuid": str(found.id),
        "name": str(name),
        "distinct_ids": ids,
        "properties": found.properties,
        "created_at": iso(found.created_at),
        "is_identified": found.is_identified,
    }
