"""What a served demo prints for pasting, pasted."""

from __future__ import annotations

import subprocess
from pathlib import Path

from local.demo import PASTED, exports


def test_a_shell_reads_back_what_the_demo_printed() -> None:
    variables = {name: f"{name}'s $(value) with spaces" for name in PASTED}
    scripts = Path("/a folder/of $HOME/'s/bin")
    asked = "; ".join(f'printf "%s\\n" "${name}"' for name in (*PASTED, "PATH"))
    program = "\n".join([*exports(variables, scripts), asked])
    done = subprocess.run(
        ["/bin/sh", "-c", program], env={"PATH": "/usr/bin"}, capture_output=True, text=True, timeout=10, check=True
    )
    assert done.stdout.splitlines() == [*variables.values(), f"{scripts}:/usr/bin"]
