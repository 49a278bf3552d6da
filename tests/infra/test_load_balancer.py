from __future__ import annotations

import re
from pathlib import Path

from functions.api import routes
from tests.infra.terraform_program import manifest, needs_terraform
from tests.infra.twin import Twin

pytestmark = needs_terraform
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def leads(twin: Twin, method: str, path: str) -> str:
    """The run service that the load balancer hands a call to: rules by priority, then the default."""
    (url_map,) = twin.of("google_compute_url_map")
    services = {service["id"]: service["name"] for service in twin.of("google_compute_backend_service")}
    (matcher,) = url_map["path_matcher"]
    for rule in sorted(matcher["route_rules"], key=lambda rule: rule["priority"]):
        (match,) = rule["match_rules"]
        methods = [each["exact_match"] for each in match.get("header_matches", ())]
        if "prefix_match" in match:
            fits = path.startswith(match["prefix_match"])
        else:
            fits = re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", match["path_template_match"]), path) is not None
        if fits and method in (methods or [method]):
            return str(services[rule["service"]])
    return str(services[matcher["default_service"]])


def test_every_path_of_the_manifest_reaches_who_answers_it(hosted: Twin, whole: Twin) -> None:
    paths = {path.split(" ")[-1] for entry in manifest().values() for path in entry.get("paths", ())}
    assert "/v1/capture/unknown-tokens" in paths
    for path in paths:
        called = re.sub(r"\{\w+\}", "some_1", path)
        for method in METHODS:
            answers = routes.match(method, called)
            assert answers is not None, (method, called)
            own = "hedgerow-" + answers.name.replace("_", "-")
            assert leads(whole, method, called) == own, (method, called)
            # In the small stack the families are `api`'s, which sends a call on as `match` says.
            assert leads(hosted, method, called) == (
                "hedgerow-capture" if own == "hedgerow-capture" else "hedgerow-api"
            )


def test_what_is_nobodys_goes_to_api_below_v1_and_to_capture_elsewhere(hosted: Twin, whole: Twin) -> None:
    for twin in (hosted, whole):
        for path, service in (
            ("/v1/nothing", "api"),
            ("/v1/connections/con_1/nothing/there", "api"),
            ("/batch/", "capture"),
            ("/i/v0/e/", "capture"),
            ("/static/array.js", "capture"),
            ("/health", "capture"),
        ):
            assert leads(twin, "POST", path) == f"hedgerow-{service}", path
        (url_map,) = twin.of("google_compute_url_map")
        services = {service["id"]: service["name"] for service in twin.of("google_compute_backend_service")}
        assert services[url_map["default_service"]] == "hedgerow-capture"
        (matcher,) = url_map["path_matcher"]
        priorities = [rule["priority"] for rule in matcher["route_rules"]]
        assert len(set(priorities)) == len(priorities)
        for service in twin.of("google_compute_backend_service"):
            assert service["security_policy"]


def test_behind_the_load_balancer_nobody_walks_around_it(whole: Twin) -> None:
    for key, function in whole.by_key("google_cloudfunctions2_function").items():
        (service,) = function["service_config"]
        public = manifest()[key]["trigger"] == "http"
        assert service["ingress_settings"] == ("ALLOW_INTERNAL_AND_GCLB" if public else "ALLOW_INTERNAL_ONLY"), key
        assert service["direct_vpc_egress"] == "VPC_EGRESS_ALL_TRAFFIC"
        assert service["direct_vpc_network_interface"][0]["network"]


def test_the_small_stack_has_no_network_of_its_own(small: Twin) -> None:
    assert [address for address in small.resources if "google_compute" in address] == []
    assert "edge_address" not in small.outputs
    assert "egress_address" not in small.outputs


def test_addresses_may_stay_while_sdks_move_to_the_domain(hosted: Twin, tmp_path: Path) -> None:
    """Also in a project whose id begins with a domain: its bucket is called otherwise."""
    moving = Twin(tmp_path, project_id="example.com:my-project", host="ph.example.com", addresses_stay=True)
    for twin, expected in ((hosted, "ALLOW_INTERNAL_AND_GCLB"), (moving, "ALLOW_ALL")):
        functions = twin.by_key("google_cloudfunctions2_function")
        ingress = {name: function["service_config"][0]["ingress_settings"] for name, function in functions.items()}
        assert {ingress.pop("api"), ingress.pop("capture")} == {expected}
        assert set(ingress.values()) == {"ALLOW_INTERNAL_ONLY"}, "nothing else is opened with them"
    (bucket,) = moving.of("google_storage_bucket")
    assert bucket["name"] == "example-com-my-project-hedgerow-source"
