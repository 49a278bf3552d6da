"""The sync: ticks, one connection's sync, refresh and runs."""
