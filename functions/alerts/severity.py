"""How loud an incident is: the one word that rules, incidents, notifications and messages share."""

from __future__ import annotations

from typing import Literal

Severity = Literal["info", "warning", "critical"]
