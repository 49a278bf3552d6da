"""Capture: the SDKs' host, the five operations, the outbox and its redelivery."""
