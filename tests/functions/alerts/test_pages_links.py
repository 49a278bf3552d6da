"""Signed links: one purpose, one thing, a time; one key however many make it at once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from functions.alerts.pages import links
from functions.alerts.pages.links import ExpiredLinkError, Signed
from functions.alerts.pages.signing_key import VAULT_NAME, SigningKey, signing_key
from hedgerow.app import App
from hedgerow.errors import MissingError
from hedgerow.ports import Where
from hedgerow.sealed_secrets import SealedSecret
from tests.stage import NOW, Stage, staged

SOON = NOW + timedelta(hours=48)


def public(stage: Stage, url: str = "https://alerts.example.test") -> App:
    return replace(stage.app, settings=stage.app.settings.model_copy(update={"public_url": url}))


def token_of(url: str) -> str:
    return url.rpartition("/")[2].removesuffix(".png")


async def test_a_link_comes_back_as_what_it_was_signed_for() -> None:
    async with staged() as stage:
        app = public(stage)
        url = await links.sign(app, "snooze", "inc_1", SOON, "Slack #ops")
        assert url.startswith("https://alerts.example.test/v1/pages/")
        assert await links.read(app, token_of(url)) == Signed("snooze", "inc_1", SOON, "Slack #ops")


async def test_a_chart_is_a_png() -> None:
    async with staged() as stage:
        url = await links.sign(public(stage, "https://x.test/"), "chart", "inc_1", SOON, "dark")
        assert url.startswith("https://x.test/v1/charts/")
        assert url.endswith(".png")


async def test_without_an_address_of_its_own_there_is_no_link_and_no_key() -> None:
    async with staged() as stage:
        assert await links.sign(stage.app, "incident", "inc_1", SOON) == ""
        assert await stage.store.get(SigningKey, "links") is None


async def test_an_expired_link_says_so_and_is_gone() -> None:
    async with staged() as stage:
        app = public(stage)
        url = await links.sign(app, "acknowledge", "inc_1", SOON)
        stage.clock.forward(timedelta(hours=48))
        with pytest.raises(ExpiredLinkError, match="good until 2026-11-22 15:30 UTC") as caught:
            await links.read(app, token_of(url))
        assert caught.value.status == 410
        assert caught.value.hint


async def test_a_link_for_one_purpose_opens_no_other() -> None:
    async with staged() as stage:
        app = public(stage)
        token = token_of(await links.sign(app, "chart", "inc_1", SOON))
        with pytest.raises(MissingError) as caught:
            await links.read(app, token, "acknowledge", "snooze")
        assert caught.value.code == "link_other_purpose"
        assert (await links.read(app, token, "chart")).subject_id == "inc_1"


async def test_every_changed_character_is_refused() -> None:
    async with staged() as stage:
        app = public(stage)
        token = token_of(await links.sign(app, "acknowledge", "inc_1", SOON, "ops"))
        for at in range(len(token)):
            for other in "AB":
                changed = token[:at] + other + token[at + 1 :]
                if changed == token:
                    continue
                with pytest.raises(MissingError) as caught:
                    await links.read(app, changed)
                assert caught.value.code == "link_altered"


async def test_another_installations_links_are_refused() -> None:
    async with staged() as here, staged() as there:
        token = token_of(await links.sign(public(there), "acknowledge", "inc_1", SOON))
        with pytest.raises(MissingError):
            await links.read(public(here), token)


async def test_many_at_once_end_with_one_key_and_one_secret() -> None:
    async with staged() as stage:
        apps = [public(stage) for _ in range(8)]
        keys = await asyncio.gather(*(signing_key(app) for app in apps))
        assert len(set(keys)) == 1
        kept = await stage.store.find(SealedSecret, Where("name", "==", VAULT_NAME))
        record = await stage.store.get(SigningKey, "links")
        assert record is not None
        assert [secret.id for secret in kept.items] == [record.secret_ref]


async def test_a_key_that_the_vault_lost_is_made_anew_by_one_of_many() -> None:
    async with staged() as stage:
        old = await signing_key(public(stage))
        await stage.app.vault.destroy(VAULT_NAME)
        keys = await asyncio.gather(*(signing_key(public(stage)) for _ in range(8)))
        assert len(set(keys)) == 1
        assert keys[0] != old
        kept = await stage.store.find(SealedSecret, Where("name", "==", VAULT_NAME))
        record = await stage.store.get(SigningKey, "links")
        assert record is not None
        assert [secret.id for secret in kept.items] == [record.secret_ref]


async def test_a_secret_left_by_a_crash_is_swept_by_the_next() -> None:
    from pydantic import SecretStr

    async with staged() as stage:
        left = await stage.app.vault.write(VAULT_NAME, SecretStr("ab" * 32))
        await signing_key(public(stage))
        assert await stage.store.get(SealedSecret, left) is None


@given(token=some.text(max_size=120))
def test_nothing_a_stranger_writes_is_a_link_or_a_crash(token: str) -> None:
    assert links.opened(b"k" * 32, token) is None


@given(subject=some.text(max_size=60), extra=some.text(max_size=60), purpose=some.sampled_from(list(links.NUMBERS)))
def test_any_subject_and_extra_come_back(subject: str, extra: str, purpose: links.Purpose) -> None:
    signed = Signed(purpose, subject, SOON, extra)
    assert links.opened(b"k" * 32, links.seal(b"k" * 32, signed)) == signed
