"""Webhooks: what happens in Hedgerow, told to the product around it."""
