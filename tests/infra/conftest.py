"""The stack as three installations have it, each evaluated once in a run."""

from __future__ import annotations

import pytest

from tests.infra.twin import Twin


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Twin:
    return Twin(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="session")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> Twin:
    """The small stack behind a domain."""
    return Twin(
        tmp_path_factory.mktemp("hosted"),
        host="ph.example.com",
        alert_emails=["oncall@example.com"],
        settings={"HEDGEROW_OPERATOR_NOTE": 'a?b=1&c=<2> $HOME `id` "it\'s"'},
    )


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Twin:
    return Twin(
        tmp_path_factory.mktemp("whole"),
        host="ph.example.com",
        private_egress=True,
        separate_families=True,
        vault="sealed",
        firestore_location="eur3",
        address_requests_per_minute=6000,
        min_instances={"capture": 1},
        alert_emails=["oncall@example.com"],
        operators={"user:ada@example.com": "full", "user:bob@example.com": "read"},
        settings={"HEDGEROW_FORWARD_SECONDS": "2"},
        deletion_protection=False,
        point_in_time_recovery=True,
    )
