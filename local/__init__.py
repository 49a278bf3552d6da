"""The laptop stand-ins: what Hedgerow runs on when no cloud account is at hand."""
