"""The outbox emptied: what waits goes to PostHog again."""
