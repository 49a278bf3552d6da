"""What `import hedgerow` costs beyond a bare Python, and what it must not touch: Google's libraries, the network.

The core's own modules, which every target imports, are reported beside it: the package's
`__init__` alone says little.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

from bench.children import ROOT
from bench.figures import Must, Row, spread
from bench.sizes import Sizes
from local.environment import with_variables

NAME = "imports"
LIMIT_MS = 200
CORE = "import hedgerow.entrypoint, hedgerow.wiring, hedgerow.models, hedgerow.messages, hedgerow.tiers, hedgerow.keys"
# Runs before the statement: notes every look into the network, then says what was seen.
WATCH = """
import json, sys
seen = []
sys.addaudithook(lambda event, _: seen.append(event) if event.startswith("socket.") and event != "socket.gethostname" else None)
{statement}
google = sorted(name for name in sys.modules if name.startswith(("google.cloud.", "google.api_core", "google.auth", "grpc")))
print(json.dumps({{"google": google, "network": seen}}))
"""


def measure(sizes: Sizes) -> list[Row]:
    """Time, Google modules and network events of `import hedgerow`; the time of the core's modules."""
    package, core, bare = "import hedgerow", CORE, "pass"
    took: dict[str, list[float]] = {package: [], core: [], bare: []}
    for number in range(sizes.rounds * 2 + 1):
        for statement, samples in took.items():
            seconds = run(statement)
            if number:
                samples.append(seconds)
    floor = spread([1000 * seconds for seconds in took[bare]])
    rows = [
        Row(NAME, f"{what}, beyond a bare Python", spread(beyond(took[statement], took[bare])), "ms", floor, must=must)
        for what, statement, must in (
            ("`import hedgerow`", package, Must(LIMIT_MS, "figure")),
            ("the core's modules a target imports", core, None),
        )
    ]
    touched = watched(package)
    for what in ("google", "network"):
        found = touched[what]
        names = {
            "google": "Google modules loaded by `import hedgerow`",
            "network": "network events of `import hedgerow`",
        }
        rows.append(Row(NAME, names[what], spread([len(found)]), must=Must(0, "figure"), note=", ".join(found[:5])))
    return rows


def beyond(samples: list[float], floors: list[float]) -> list[float]:
    """Milliseconds that each sample took longer than the floor of its own round."""
    return [1000 * (sample - floor) for sample, floor in zip(samples, floors, strict=True)]


def run(statement: str) -> float:
    """Seconds that a fresh Python took for a statement, from its start to its end."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], cwd=ROOT, env=with_variables(), check=True)
    return time.perf_counter() - began


def watched(statement: str) -> dict[str, list[str]]:
    """What a fresh Python touched by a statement: `google` modules loaded, `network` events heard."""
    told = subprocess.run(
        [sys.executable, "-W", "error", "-c", WATCH.format(statement=statement)],
        cwd=ROOT,
        env=with_variables(),
        check=True,
        capture_output=True,
        text=True,
    )
    touched: dict[str, list[str]] = json.loads(told.stdout)
    return touched
