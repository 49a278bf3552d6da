"""Series: what a rule's spec means in measures, in stored points, and in PostHog itself."""
