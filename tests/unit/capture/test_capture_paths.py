"""Every ingestion path is known with and without its last slash and behind any prefix; nothing else is taken for one."""

from __future__ import annotations

import pytest

from functions.capture.wire.paths import Place, PlaceKind, place_of

INGESTION: list[tuple[str, PlaceKind, bool]] = [
    ("/batch", "v0", False),
    ("/i/v0/e", "v0", False),
    ("/e", "v0", True),
    ("/capture", "v0", True),
    ("/track", "v0", True),
    ("/engage", "engage", True),
    ("/s", "recording", False),
    ("/i/v0/ai/batch", "ai", False),
    ("/i/v1/analytics/events", "v1", False),
    ("/i/v1/ai/events", "v1", False),
]


@pytest.mark.parametrize(("path", "kind", "legacy"), INGESTION)
@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize(("before", "prefix"), [("", ""), ("", "/ph"), ("/ph", "/ph"), ("/ph", "ph/"), ("/a/b", "/ph")])
def test_an_ingestion_path_is_known_wherever_it_stands(
    path: str, kind: PlaceKind, legacy: bool, slash: str, before: str, prefix: str
) -> None:
    assert place_of("POST", before + path + slash, prefix) == Place(kind, path, legacy)


@pytest.mark.parametrize(("path", "kind", "legacy"), INGESTION)
def test_only_the_old_protocol_takes_events_by_get(path: str, kind: PlaceKind, legacy: bool) -> None:
    place = place_of("GET", path + "/", "")
    assert (place.kind == "passing") == (kind in {"v1", "ai"})
    assert place.legacy == legacy
    assert place.path.rstrip("/") == path
    assert place_of("PUT", path, "").kind == "passing"


@pytest.mark.parametrize("path", ["/", "/_readiness", "/_liveness", "/ph", "/ph/", "/ph/_liveness"])
def test_a_look_at_the_host_itself_is_health(path: str) -> None:
    assert place_of("GET", path, "/ph").kind == "health"


def test_a_double_slash_is_a_prefix_of_nothing() -> None:
    assert place_of("POST", "//batch/", "").kind == "v0"


@pytest.mark.parametrize(
    ("method", "path", "onwards"),
    [
        ("POST", "/flags/", "/flags/"),
        ("POST", "/ph/flags/", "/flags/"),
        ("GET", "/ph/flags/definitions", "/flags/definitions"),
        ("GET", "/elsewhere/array/phc_x/config.js", "/array/phc_x/config.js"),
        ("GET", "/ph/static/1.449.2/surveys.js", "/static/1.449.2/surveys.js"),
        ("GET", "/api/surveys/", "/api/surveys/"),
        ("POST", "/i/v1/logs", "/i/v1/logs"),
        ("POST", "/x/i/v1/traces", "/i/v1/traces"),
        ("POST", "/static/e", "/static/e"),
        ("GET", "/static/e/", "/static/e/"),
        ("POST", "/api/projects/@current/capture", "/api/projects/@current/capture"),
        ("POST", "/decide/s/", "/decide/s/"),
        ("POST", "/v1/connections/con_1/batch", "/v1/connections/con_1/batch"),
        ("GET", "/somewhere/e", "/somewhere/e"),
        ("POST", "/phone/xe", "/phone/xe"),
        ("POST", "/ebatch", "/ebatch"),
        ("POST", "/", "/"),
        ("POST", "", ""),
    ],
)
def test_what_is_not_ingestion_passes_without_the_prefix(method: str, path: str, onwards: str) -> None:
    assert place_of(method, path, "/ph") == Place("passing", onwards)


def test_every_path_has_a_preflight() -> None:
    assert place_of("OPTIONS", "/e/", "").kind == "preflight"
    assert place_of("OPTIONS", "/ph/anything", "/ph") == Place("preflight", "/anything")


@pytest.mark.parametrize("path", ["/v1/capture/event", "/v1/capture/alias/", "/ph/v1/capture/page"])
def test_the_five_operations_are_not_ingestion(path: str) -> None:
    assert place_of("POST", path, "/ph").kind == "operation"
