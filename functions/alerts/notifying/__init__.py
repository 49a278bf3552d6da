"""Telling people: what to tell whom when, one message at a time, never twice where it can be known, never not at all."""
