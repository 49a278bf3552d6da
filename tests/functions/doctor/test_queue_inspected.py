"""Topics and subscriptions as they stand: on Pub/Sub's emulator, and on a small server that knows who may do what."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
import pytest
from google.iam.v1 import policy_pb2  # type: ignore[import-untyped]
from google.iam.v1.iam_policy_pb2 import GetIamPolicyRequest  # type: ignore[import-untyped]
from google.pubsub_v1 import types

from functions.api.routes import targets
from hedgerow.adapters.google import PubSubQueue
from hedgerow.adapters.inspection import PubSubInspection
from hedgerow.cli.operations.doctor import queue
from hedgerow.cli.operations.doctor.diagnosing import diagnose
from hedgerow.cli.operations.doctor.visiting import Terminal, case_of
from hedgerow.messages import RunEnded
from hedgerow.pushes import DEAD_TOPIC
from tests.stage import staged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TOPIC = RunEnded.topic
ENDPOINT = "http://127.0.0.1:1/push"
AGENT = "serviceAccount:service-7@gcp-sa-pubsub.iam.gserviceaccount.com"


async def test_the_emulator_is_seen_as_it_stands(project: str, pubsub_host: str) -> None:
    opened = PubSubQueue(project, emulator_host=pubsub_host)
    inspection = PubSubInspection(project, "hedgerow-", emulator_host=pubsub_host)
    (before,) = await inspection.topics([TOPIC])
    assert not before.exists

    await opened.ensure_push(TOPIC, ENDPOINT)
    ended, dead = await inspection.topics([TOPIC, DEAD_TOPIC])

    assert ended.subscription is not None
    assert ended.subscription.endpoint == ENDPOINT
    assert ended.subscription.dead_topic == f"projects/{project}/topics/hedgerow-dead"
    assert (ended.subscription.attempts, ended.subscription.may_bury) == (10, None)
    assert (dead.exists, dead.subscription) == (True, None)

    await opened.ensure_push(DEAD_TOPIC, ENDPOINT)
    (dead,) = await inspection.topics([DEAD_TOPIC])
    assert dead.subscription is not None
    assert dead.subscription.dead_topic == ""
    await inspection.close()
    await opened.close()


class PubSub:
    """Every topic there, its subscription as a test wants it."""

    def __init__(self) -> None:
        self.policies: dict[str, list[tuple[str, str]]] = {}
        self.forbidden = False
        self.policies_hidden = False
        self.account = "push@p.test"
        self.dead_topic = "projects/p/topics/hedgerow-dead"

    async def topic(self, request: types.GetTopicRequest, context: Any) -> types.Topic:
        if self.forbidden:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "User not authorized to perform this action.")
        return types.Topic(name=request.topic)

    async def subscription(self, request: types.GetSubscriptionRequest, context: Any) -> types.Subscription:
        return types.Subscription(
            name=request.subscription,
            push_config={"push_endpoint": ENDPOINT, "oidc_token": {"service_account_email": self.account}},
            dead_letter_policy={"dead_letter_topic": self.dead_topic, "max_delivery_attempts": 10},
        )

    async def policy(self, request: GetIamPolicyRequest, context: Any) -> policy_pb2.Policy:
        if self.policies_hidden:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "User not authorized to perform this action.")
        granted = self.policies.get(request.resource, [])
        return policy_pb2.Policy(bindings=[{"role": role, "members": [member]} for role, member in granted])


@pytest.fixture
async def pubsub() -> AsyncIterator[tuple[PubSub, PubSubInspection]]:
    there = PubSub()
    unary = grpc.unary_unary_rpc_method_handler
    handlers = (
        ("Publisher", {"GetTopic": unary(there.topic, types.GetTopicRequest.deserialize, types.Topic.serialize)}),
        (
            "Subscriber",
            {
                "GetSubscription": unary(
                    there.subscription, types.GetSubscriptionRequest.deserialize, types.Subscription.serialize
                )
            },
        ),
    )
    server = grpc.aio.server()
    for name, methods in handlers:
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(f"google.pubsub.v1.{name}", methods),))
    policy = unary(there.policy, GetIamPolicyRequest.FromString, policy_pb2.Policy.SerializeToString)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("google.iam.v1.IAMPolicy", {"GetIamPolicy": policy}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    inspection = PubSubInspection("p", "hedgerow-", emulator_host=f"127.0.0.1:{port}")
    yield there, inspection
    await inspection.close()
    await server.stop(None)


@pytest.mark.parametrize(
    ("on_topic", "on_subscription", "may"),
    [
        ("roles/pubsub.publisher", "roles/pubsub.subscriber", True),
        ("roles/pubsub.publisher", "roles/pubsub.viewer", False),
        ("roles/pubsub.viewer", "roles/pubsub.subscriber", False),
    ],
)
async def test_dead_letters_need_both_rights_of_pubsub_itself(
    pubsub: tuple[PubSub, PubSubInspection], on_topic: str, on_subscription: str, may: bool
) -> None:
    there, inspection = pubsub
    there.policies = {
        "projects/p/topics/hedgerow-dead": [(on_topic, AGENT)],
        f"projects/p/subscriptions/hedgerow-{TOPIC}": [(on_subscription, AGENT)],
    }

    (topic,) = await inspection.topics([TOPIC])

    assert topic.subscription is not None
    assert topic.subscription.may_bury is may
    assert topic.subscription.account == "push@p.test"


async def test_what_is_wrong_with_a_subscription_in_the_cloud(pubsub: tuple[PubSub, PubSubInspection]) -> None:
    there, inspection = pubsub
    async with staged() as stage:
        in_the_cloud = stage.app.settings.model_copy(update={"queue": "pubsub", "project": "p"})
        case = replace(
            case_of(stage.app, Terminal()), app=replace(stage.app, settings=in_the_cloud), inspection=inspection
        )

        async def codes() -> set[str]:
            return {each.code for each in await queue.check(case)}

        assert await codes() == {"queue.cannot_bury"}
        names = [each.topic for each in targets().values() if each.topic]
        there.policies = {
            f"projects/p/subscriptions/hedgerow-{name}": [("roles/pubsub.subscriber", AGENT)] for name in names
        }
        there.policies[there.dead_topic] = [("roles/pubsub.publisher", AGENT)]
        assert await codes() == {"ok"}
        there.policies_hidden = True
        (hidden,) = await queue.check(case)
        assert (hidden.code, hidden.subject) == ("unknown", "rights of Pub/Sub")
        assert "pubsub.topics.getIamPolicy" in hidden.command
        there.policies_hidden = False
        there.account = ""
        assert await codes() == {"queue.anonymous_push"}
        there.dead_topic = ""
        assert await codes() == {"queue.anonymous_push", "queue.no_dead_letter"}
        there.forbidden = True
        unknown = {each.subject: each for each in (await diagnose(case)).of("unknown")}
        assert "refuses this account" in unknown["queue"].what
        assert "terraform apply" in unknown["queue"].command


def test_the_dead_topic_has_a_target() -> None:
    assert [name for name, target in targets().items() if target.topic == DEAD_TOPIC] == ["bury_message"]
