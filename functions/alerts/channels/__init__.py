"""Channels: where people are told, kept by their tenant."""
