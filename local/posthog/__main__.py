"""`python -m local.posthog`: the local PostHog without the rest of Hedgerow's command line."""

import argparse
from datetime import datetime
from pathlib import Path

from local.posthog.server import serve


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="local.posthog")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--now", type=datetime.fromisoformat, default=None)
    parser.add_argument("--timezone", default=None)
    parser.add_argument("--events", type=Path, default=None)
    parser.add_argument("--assets", type=Path, default=None)
    wanted = parser.parse_args()
    serve(wanted.port, wanted.data, wanted.now, wanted.timezone, wanted.events, wanted.assets)


if __name__ == "__main__":
    main()
