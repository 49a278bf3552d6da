"""Reading what was synced."""
