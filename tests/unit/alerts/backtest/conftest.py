"""What the command's tests need."""

from tests.cli_process import answers

__all__ = ["answers"]
