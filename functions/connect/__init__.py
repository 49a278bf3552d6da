"""Connections and tenants: connect, test, rotate, list."""
