"""The chat services' stand-ins: they refuse what Slack, Discord, Teams and Google Chat refuse, and show what they took."""

from local.chat.services import ChatServices

__all__ = ["ChatServices"]
