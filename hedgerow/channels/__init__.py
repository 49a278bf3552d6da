"""Channels: Slack, Discord, Teams, Google Chat, webhook. One file a kind: its settings, its form, its sending."""
