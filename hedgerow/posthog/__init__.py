"""PostHog as Hedgerow uses it: its hosts and keys, its private API, and what its refusals mean."""
