"""Incidents: what a rule's verdicts mean over time, kept so that there is at most one open incident a rule and value."""
