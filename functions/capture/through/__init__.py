"""What is not ingestion: through to PostHog, or the last good answer."""
