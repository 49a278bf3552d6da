"""The privacy guard and the merge guard, and how a connection's guards are put together."""
