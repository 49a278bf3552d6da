"""Rights as a target has them: on records, on secrets by the beginning of their name, on topics."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

STORE = {"get": "read", "get_many": "read", "find": "read", "count": "read"}
CHANGES = {"Add": "write", "Swap": "write", "Patch": "write", "Delete": "delete"}
VAULT = {"read": "read", "write": "write", "destroy": "destroy", "versions": "destroy", "remove": "delete"}
ORDER = ("read", "write", "destroy", "delete")
# Settings that hold a secret of the installation's own.
KEYS = ("admin_key", "operator_webhook", "operator_webhook_secret", "telemetry_headers")

# Whose secrets a call of the vault is about. A reference does not say it to a reader of the source, its place does;
# the longest entry counts, and a place without one is refused.
NAMES: dict[str, tuple[str, ...]] = {
    "functions.connect": ("con_",),
    "functions.sync": ("con_",),
    "functions.metrics": ("con_",),
    "functions.capture": ("con_",),
    "functions.capture.guards.hash_keys": ("hash_",),
    # What an earlier release named is still read.
    "functions.capture.guards.hash_keys:key_of": ("con_", "hash_"),
    "functions.alerts.series": ("con_",),
    "functions.alerts.channels": ("chn_", "whk_"),
    "functions.alerts.pages.signing_key": ("signing-",),
    "hedgerow.disconnection": ("con_", "hash_"),
    "hedgerow.closing": ("chn_", "whk_"),
    "hedgerow.drafts": ("chn_", "con_", "hash_", "whk_"),
}


def prefixes_of(node: tuple[str, str]) -> tuple[str, ...]:
    """How the names of the secrets begin that this function works on; empty where nobody has said it."""
    place = ":".join(node)
    entries = [entry for entry in NAMES if place == entry or place.startswith((f"{entry}.", f"{entry}:"))]
    return NAMES[max(entries, key=len)] if entries else ()


@dataclass
class Rights:
    """What is allowed, or needed."""

    store: set[str] = field(default_factory=set)
    secrets: dict[str, set[str]] = field(default_factory=dict)
    publish: set[str] = field(default_factory=set)
    settings: set[str] = field(default_factory=set)

    def note_attribute(self, used: ast.Attribute, prefixes: tuple[str, ...]) -> None:
        """Take in `….store.find`, `….vault.read`, `settings.admin_key`."""
        owner = _last(used.value)
        if owner == "store" and used.attr in STORE:
            self.store.add(STORE[used.attr])
        elif owner == "vault" and used.attr in VAULT:
            if not prefixes:
                raise ValueError(f"{ast.unparse(used)}: say in tests/infra/rights.py whose secrets these are")
            self.secrets.setdefault(VAULT[used.attr], set()).update(prefixes)
        elif used.attr in KEYS:
            self.settings.add(used.attr)

    def note_change(self, name: str) -> None:
        """Take in the use of a change: `Add`, `Delete`."""
        if name in CHANGES:
            self.store.add(CHANGES[name])

    def __or__(self, other: Rights) -> Rights:
        verbs = self.secrets.keys() | other.secrets.keys()
        return Rights(
            self.store | other.store,
            {verb: self.secrets.get(verb, set()) | other.secrets.get(verb, set()) for verb in verbs},
            self.publish | other.publish,
            self.settings | other.settings,
        )

    def entry(self) -> dict[str, object]:
        """As the manifest writes it."""
        written: dict[str, object] = {
            "store": [verb for verb in ORDER if verb in self.store],
            "secrets": {verb: sorted(self.secrets[verb]) for verb in ORDER if self.secrets.get(verb)},
            "publish": sorted(self.publish),
        }
        return written | ({"settings": sorted(self.settings)} if self.settings else {})


def _last(expression: ast.expr) -> str:
    if isinstance(expression, ast.Attribute):
        return expression.attr.lstrip("_")
    return expression.id if isinstance(expression, ast.Name) else ""
