"""Alerts: rules, verdicts, incidents, and telling people."""
