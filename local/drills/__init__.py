"""Incidents played on this machine: something breaks, `hedgerow doctor` says what, its command mends it."""
