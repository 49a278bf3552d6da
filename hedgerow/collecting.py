"""How seldom the garbage collector of a function's process looks: imported before all that such a process imports.

The one module whose import does something. The collector else walks the growing heap again
and again while the rest is imported, which was a tenth of the time to the first answer;
functions-framework offers no earlier moment. For `hedgerow.entrypoint`, and what a target imports before it.
"""

from __future__ import annotations

import gc

SELDOM = (50_000, 20, 50)

gc.set_threshold(*SELDOM)


def keep_what_is_loaded() -> None:
    """Before the work: what a start has imported stays, so the collector never walks it again."""
    gc.freeze()
    gc.set_threshold(*SELDOM)
