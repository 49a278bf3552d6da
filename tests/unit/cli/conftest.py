"""The loopback server of these tests."""

from tests.cli_process import answers

__all__ = ["answers"]
