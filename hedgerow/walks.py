"""How far a walk over many records has come, kept between the calls of a tick."""

from __future__ import annotations

from hedgerow.app import App
from hedgerow.errors import ConflictError
from hedgerow.models import RetentionWalk
from hedgerow.ports import Add, Delete, Swap


async def remember(app: App, walk: RetentionWalk | None, id: str, cursor: str | None) -> None:
    """Keep the place to go on from; None: the walk is over, and the next begins anew. `walk` is as it was read."""
    try:
        if cursor is None and walk is not None:
            await app.store.commit(Delete(RetentionWalk, id, walk.version))
        elif cursor is not None and walk is None:
            await app.store.commit(Add(RetentionWalk(id=id, cursor=cursor)))
        elif cursor is not None and walk is not None:
            await app.store.commit(Swap(walk.model_copy(update={"cursor": cursor})))
    except ConflictError:
        return  # Another call walks too; either place is good.
