from __future__ import annotations

import pytest
from pydantic import SecretStr, ValidationError

from hedgerow.channels import recognising
from hedgerow.channels.discord import DiscordSettings
from hedgerow.channels.google_chat import GoogleChatSettings
from hedgerow.channels.notice import ChannelKind
from hedgerow.channels.settings import ChannelSettings, dump, load
from hedgerow.channels.slack import SlackSettings
from hedgerow.channels.teams import TeamsSettings
from hedgerow.channels.webhook import WebhookSettings
from hedgerow.errors import InvalidError

SLACK = "https://hooks.slack.com/services/T0/B0/nobodys"
DISCORD = "https://discord.com/api/webhooks/123/nobodys-token_1"
TEAMS = "https://prod-12.westeurope.logic.azure.com:443/workflows/a/triggers/manual/paths/invoke?sig=nobodys"
GOOGLE = "https://chat.googleapis.com/v1/spaces/AAA/messages?key=k&token=nobodys"
SIGNING = "whsec_bm9ib2R5czAxMjM0NTY3ODlub2JvZHlzMDEyMzQ1"

GOOD: list[ChannelSettings] = [
    SlackSettings(url=SecretStr(SLACK)),
    SlackSettings(token=SecretStr("xoxb-1-2-nobodys"), slack_channel="C0123456789"),
    DiscordSettings(url=SecretStr(DISCORD)),
    DiscordSettings(url=SecretStr(DISCORD + "?thread_id=9")),
    TeamsSettings(url=SecretStr(TEAMS)),
    GoogleChatSettings(url=SecretStr(GOOGLE)),
    WebhookSettings(url=SecretStr("https://shop.example:8443/hook?a=b")),
    WebhookSettings(url=SecretStr("https://93.184.216.34/"), secrets=(SecretStr(SIGNING), SecretStr(SIGNING))),
]


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        (SLACK, "slack"),
        (DISCORD, "discord"),
        (DISCORD.replace("discord", "canary.discord"), "discord"),
        (DISCORD.replace("discord.", "discordapp."), "discord"),
        (TEAMS, "teams"),
        ("https://acme.webhook.office.com/webhookb2/x", "teams"),
        ("https://x.01.environment.api.powerplatform.com/powerautomate/x", "teams"),
        (GOOGLE, "google_chat"),
        ("https://HOOKS.SLACK.COM./services/a/b/c", "slack"),
        ("https://hooks.slack.com.evil.example/services/a/b/c", "webhook"),
        ("https://evil.example/hooks.slack.com", "webhook"),
        ("https://evillogic.azure.com/x", "webhook"),
        ("https://[::1", "webhook"),
        ("", "webhook"),
    ],
)
def test_an_address_tells_its_kind_by_its_host(url: str, kind: ChannelKind) -> None:
    assert recognising.kind_of(url) == kind


@pytest.mark.parametrize("settings", GOOD)
def test_good_settings_pass_and_come_back_from_the_vault(settings: ChannelSettings) -> None:
    recognising.check(settings, ())
    assert load(dump(settings)) == settings


@pytest.mark.parametrize("settings", GOOD)
def test_no_secret_is_shown(settings: ChannelSettings) -> None:
    shown = f"{settings!r} {dump(settings)!r} {settings.model_dump_json()} {recognising.shown(settings)}"
    assert "nobodys" not in shown
    assert "bm9ib2R5" not in shown


def test_the_host_is_shown() -> None:
    assert [recognising.shown(settings) for settings in GOOD[:4]] == [
        "hooks.slack.com",
        "slack.com",
        "discord.com",
        "discord.com",
    ]
    assert recognising.shown(WebhookSettings(url=SecretStr("https://user:pass@h.example/x"))) == "h.example"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (SlackSettings(url=SecretStr(SLACK.replace("https", "http"))), "https://"),
        (SlackSettings(url=SecretStr(DISCORD)), "Discord"),
        (SlackSettings(url=SecretStr("https://hooks.slack.com/triggers/T0/1/x")), "incoming webhook"),
        (SlackSettings(url=SecretStr("https://evil.example/services/a/b/c")), "webhook"),
        (SlackSettings(token=SecretStr("xoxp-1"), slack_channel="C01"), "bot's token"),
        (SlackSettings(token=SecretStr("xoxb-1\nx"), slack_channel="C01"), "bot's token"),
        (SlackSettings(token=SecretStr("xoxb-1"), slack_channel="two words"), "channel"),
        (DiscordSettings(url=SecretStr(DISCORD + "/slack")), "incoming webhook"),
        (GoogleChatSettings(url=SecretStr(GOOGLE.partition("?")[0])), "token"),
        (TeamsSettings(url=SecretStr("https://logic.azure.com/x")), "a webhook"),
        (WebhookSettings(url=SecretStr(SLACK)), "Slack"),
        (WebhookSettings(url=SecretStr("https://user:nobodys@h.example/")), "user name"),
        (WebhookSettings(url=SecretStr("https://127.0.0.1/")), "private"),
        (WebhookSettings(url=SecretStr("https://[::ffff:10.0.0.1]/")), "private"),
        (WebhookSettings(url=SecretStr("https://169.254.169.254/latest")), "private"),
        (WebhookSettings(url=SecretStr("https://localhost/")), "private"),
        (WebhookSettings(url=SecretStr("https://h.example:99999/")), "read"),
        (WebhookSettings(url=SecretStr("https://h.example/a b")), "read"),
        (WebhookSettings(url=SecretStr("https://h.example\\@evil.example/")), "read"),
        (WebhookSettings(url=SecretStr("nonsense")), "read"),
        (WebhookSettings(url=SecretStr("https://h.example/"), secrets=(SecretStr("nobodys"),)), "whsec_"),
        (WebhookSettings(url=SecretStr("https://h.example/"), secrets=(SecretStr("whsec_YQ=="),)), "24"),
    ],
)
def test_bad_settings_are_refused_with_a_remedy_and_without_the_secret(settings: ChannelSettings, told: str) -> None:
    with pytest.raises(InvalidError, match=told) as refused:
        recognising.check(settings, ("10.0.0.1:8080",))
    assert refused.value.hint
    assert "nobodys" not in refused.value.detail + refused.value.hint


@pytest.mark.parametrize("kind", [SlackSettings, DiscordSettings, TeamsSettings, GoogleChatSettings, WebhookSettings])
def test_an_allowed_private_address_may_have_any_shape(
    kind: type[SlackSettings | DiscordSettings | TeamsSettings | GoogleChatSettings | WebhookSettings],
) -> None:
    settings = kind(url=SecretStr("http://127.0.0.1:9000/anything"))
    recognising.check(settings, ("127.0.0.1:9000",))
    with pytest.raises(InvalidError):
        recognising.check(settings, ("127.0.0.1:9001",))


def test_slack_is_one_way_or_the_other() -> None:
    for wrong in (
        {},
        {"url": SLACK, "token": "xoxb-nobodys"},
        {"token": "xoxb-nobodys"},
        {"url": SLACK, "slack_channel": "C01"},
    ):
        with pytest.raises(ValidationError, match="either url") as refused:
            SlackSettings.model_validate(wrong)
        assert "nobodys" not in str(refused.value)


def test_what_the_vault_cannot_have_held_is_refused_without_being_told() -> None:
    for text in ("", "{}", '{"kind":"pager","url":"nobodys"}', '{"kind":"discord","url":"nobodys","more":1}'):
        with pytest.raises(InvalidError) as refused:
            load(SecretStr(text))
        assert "nobodys" not in str(refused.value)
