"""`Queue` on a SQLite file: what it has published survives the process that published it.

`EmbeddedQueue` takes messages in; `Courier` carries them out as the push requests that
Pub/Sub would make. A message is forgotten when its delivery was answered with a 2xx, or
when nobody subscribes to its topic.
"""

from __future__ import annotations

import asyncio
import base64
import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hedgerow.adapters.sqlite_thread import SqliteThread, transaction

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from hedgerow.messages import Message

TABLE = """
    CREATE TABLE IF NOT EXISTS messages (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        topic TEXT NOT NULL,
        key TEXT NOT NULL,
        body TEXT NOT NULL,
        published_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
    )
"""
TAKE = "SELECT id, topic, key, body, published_at FROM messages WHERE topic = ? AND id > ? ORDER BY id LIMIT ?"
# Steps from topic to topic along the index, however many messages each has.
TOPICS = """
    WITH RECURSIVE there (topic) AS (
        SELECT MIN(topic) FROM messages
        UNION ALL
        SELECT (SELECT MIN(topic) FROM messages WHERE topic > there.topic) FROM there WHERE topic IS NOT NULL
    )
    SELECT topic FROM there WHERE topic IS NOT NULL
"""
BY_TOPIC = "CREATE INDEX IF NOT EXISTS messages_by_topic ON messages (topic, id)"


@dataclass(frozen=True, slots=True)
class Wanted:
    """At most `limit` messages of a topic, the oldest whose ids are greater than `behind`."""

    topic: str
    behind: int
    limit: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """A published message that nobody has acknowledged yet."""

    id: int
    topic: str
    key: str
    body: str
    published_at: str

    def envelope(self, subscription: str) -> bytes:
        """The body of the push request, as Pub/Sub writes it: every id in both spellings."""
        return json.dumps(
            {
                "message": {
                    "data": base64.b64encode(self.body.encode()).decode(),
                    "attributes": {"key": self.key},
                    "messageId": str(self.id),
                    "message_id": str(self.id),
                    "publishTime": self.published_at,
                    "publish_time": self.published_at,
                },
                "subscription": subscription,
            },
            separators=(",", ":"),
        ).encode()


class EmbeddedQueue:
    """Messages in the file at `path`, or in ":memory:". Not tied to an event loop."""

    def __init__(self, path: Path | str) -> None:
        self._thread = SqliteThread(path)
        self._prepared = False
        self._listeners: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}

    async def publish(self, *messages: Message) -> None:
        """Write all messages to disk in one transaction and wake whoever carries them out."""
        if not messages:
            return
        rows = [(message.topic, message.key, message.model_dump_json()) for message in messages]

        def write(connection: sqlite3.Connection) -> None:
            self._prepare(connection)
            with transaction(connection):
                connection.executemany("INSERT INTO messages (topic, key, body) VALUES (?, ?, ?)", rows)

        await self._thread.run(write)
        for news, loop in self._listeners.items():
            loop.call_soon_threadsafe(news.set)

    async def waiting(self) -> int:
        """How many messages nobody has acknowledged yet, those under way included."""

        def read(connection: sqlite3.Connection) -> int:
            self._prepare(connection)
            number: int = connection.execute("SELECT COUNT(*) FROM messages").fetchone()[0]
            return number

        return await self._thread.run(read)

    async def exchange(self, acknowledged: Sequence[int], wanted: Sequence[Wanted]) -> list[Waiting]:
        """Forget what was acknowledged and take what is wanted, in one go to the file.

        `wanted` names every topic with a subscriber; messages of others are dropped.
        """

        def work(connection: sqlite3.Connection) -> list[Waiting]:
            self._prepare(connection)
            _forget(connection, acknowledged)
            _drop_others(connection, {each.topic for each in wanted})
            rows = [
                row
                for each in wanted
                if each.limit
                for row in connection.execute(TAKE, (each.topic, each.behind, each.limit)).fetchall()
            ]
            return [Waiting(*row) for row in rows]

        return await self._thread.run(work)

    @contextmanager
    def listening(self) -> Iterator[asyncio.Event]:
        """An event of the running loop that is set whenever something is published here."""
        news = asyncio.Event()
        self._listeners[news] = asyncio.get_running_loop()
        try:
            yield news
        finally:
            del self._listeners[news]

    async def close(self) -> None:
        """Close the file."""
        await self._thread.close()

    def _prepare(self, connection: sqlite3.Connection) -> None:
        if not self._prepared:
            with transaction(connection):
                connection.execute(TABLE)
                connection.execute(BY_TOPIC)
            self._prepared = True


def _forget(connection: sqlite3.Connection, ids: Sequence[int]) -> None:
    if ids:
        with transaction(connection):
            connection.executemany("DELETE FROM messages WHERE id = ?", [(id,) for id in ids])


def _drop_others(connection: sqlite3.Connection, topics: Collection[str]) -> None:
    there = [topic for (topic,) in connection.execute(TOPICS).fetchall()]
    others = [(topic,) for topic in there if topic not in topics]
    if others:
        with transaction(connection):
            connection.executemany("DELETE FROM messages WHERE topic = ?", others)
