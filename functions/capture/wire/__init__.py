"""What a request on the SDKs' host says: its path, its encoding, its events, and PostHog's own forms of answer."""
