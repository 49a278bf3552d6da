"""The measurements the README quotes: `python -m bench [name…]`. It reports what it finds; it tunes nothing."""
