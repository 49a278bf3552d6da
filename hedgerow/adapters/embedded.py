"""`Queue` on a SQLite file: what it has published survives the process that published it.

`EmbeddedQueue` takes messages in; `Courier` carries them out as the push requests that
Pub/Sub would make. A message is forgotten when its delivery was answered with a 2xx, or
when nobody subscribes to its topic; one that is given up moves to the dead topic.
"""

from __future__ import annotations

import asyncio
import base64
import json
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from hedgerow import traces
from hedgerow.adapters.sqlite_thread import SqliteThread, transaction
from hedgerow.inspection import Backlog
from hedgerow.pushes import DEAD_TOPIC, dead_letter_attributes

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
        published_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
        attributes TEXT NOT NULL DEFAULT '{}',
        failures INTEGER NOT NULL DEFAULT 0
    )
"""
# What the table of an earlier release lacks.
COLUMNS = {"attributes": "TEXT NOT NULL DEFAULT '{}'", "failures": "INTEGER NOT NULL DEFAULT 0"}
TAKE = """
    SELECT id, topic, key, body, published_at, attributes, failures,
        (julianday('now') - julianday(published_at)) * 86400.0
    FROM messages WHERE topic = ? AND id > ? ORDER BY id LIMIT ?
"""
COUNT_FAILURE = "UPDATE messages SET failures = failures + 1 WHERE id = ?"
BURY = f"INSERT INTO messages (topic, key, body, attributes) SELECT '{DEAD_TOPIC}', key, body, ? FROM messages WHERE id = ?"
BACKLOG = "SELECT topic, COUNT(*), MIN(published_at), MAX(failures) FROM messages GROUP BY topic ORDER BY topic"
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
    attributes: str = "{}"
    """A JSON object of strings: what travels with the message beside its key."""
    failures: int = 0
    """Deliveries that failed so far, in this process and in those before it."""
    age: float = 0.0
    """Seconds since it was published, as of when it was read."""

    def envelope(self, subscription: str) -> bytes:
        """The body of the push request, as Pub/Sub writes it: every id in both spellings."""
        return json.dumps(
            {
                "message": {
                    "data": base64.b64encode(self.body.encode()).decode(),
                    "attributes": {"key": self.key, **json.loads(self.attributes)},
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
        travelling = json.dumps(traces.attributes())
        rows = [(message.topic, message.key, message.model_dump_json(), travelling) for message in messages]

        def write(connection: sqlite3.Connection) -> None:
            self._prepare(connection)
            with transaction(connection):
                connection.executemany("INSERT INTO messages (topic, key, body, attributes) VALUES (?, ?, ?, ?)", rows)

        await self._thread.run(write)
        for news, loop in self._listeners.items():
            loop.call_soon_threadsafe(news.set)

    async def reach(self) -> None:
        """Ask the file one question."""
        await self._thread.run(lambda connection: connection.execute("SELECT 1").fetchone())

    async def waiting(self) -> int:
        """How many messages nobody has acknowledged yet, those under way included."""

        def read(connection: sqlite3.Connection) -> int:
            self._prepare(connection)
            number: int = connection.execute("SELECT COUNT(*) FROM messages").fetchone()[0]
            return number

        return await self._thread.run(read)

    async def backlog(self) -> dict[str, Backlog]:
        """What waits, by topic; a count along the index, for a person who asks."""

        def read(connection: sqlite3.Connection) -> dict[str, Backlog]:
            self._prepare(connection)
            rows = connection.execute(BACKLOG).fetchall()
            return {
                topic: Backlog(waiting, datetime.fromisoformat(oldest), failures)
                for topic, waiting, oldest, failures in rows
            }

        return await self._thread.run(read)

    async def exchange(
        self,
        acknowledged: Sequence[int],
        wanted: Sequence[Wanted],
        failed: Sequence[int] = (),
        given_up: Sequence[Waiting] = (),
    ) -> list[Waiting]:
        """Forget what was acknowledged, note what failed, bury what is given up, and take what is wanted.

        All in one go to the file. `wanted` names every topic with a subscriber; messages
        of others are dropped.
        """

        def work(connection: sqlite3.Connection) -> list[Waiting]:
            self._prepare(connection)
            _settle(connection, acknowledged, failed, given_up)
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
                there = {row[1] for row in connection.execute("PRAGMA table_info(messages)")}
                for name, kind in COLUMNS.items():
                    if name not in there:
                        connection.execute(f"ALTER TABLE messages ADD COLUMN {name} {kind}")
                connection.execute(BY_TOPIC)
            self._prepared = True


def _settle(
    connection: sqlite3.Connection, acknowledged: Sequence[int], failed: Sequence[int], given_up: Sequence[Waiting]
) -> None:
    """Keep how deliveries ended. A message that is given up leaves its topic as it enters the dead one."""
    if not (acknowledged or failed or given_up):
        return
    with transaction(connection):
        connection.executemany(COUNT_FAILURE, [(id,) for id in failed])
        connection.executemany(BURY, [(_dead_attributes(each), each.id) for each in given_up])
        gone = [*acknowledged, *(each.id for each in given_up)]
        connection.executemany("DELETE FROM messages WHERE id = ?", [(id,) for id in gone])


def _dead_attributes(given_up: Waiting) -> str:
    own: dict[str, str] = json.loads(given_up.attributes)
    more = dead_letter_attributes(subscription_of(given_up.topic), given_up.failures, given_up.published_at)
    return json.dumps({**own, **more}, separators=(",", ":"))


def subscription_of(topic: str) -> str:
    """The name under which deliveries of a topic are made."""
    return f"embedded/subscriptions/{topic}"


def _drop_others(connection: sqlite3.Connection, topics: Collection[str]) -> None:
    there = [topic for (topic,) in connection.execute(TOPICS).fetchall()]
    others = [(topic,) for topic in there if topic not in topics]
    if others:
        with transaction(connection):
            connection.executemany("DELETE FROM messages WHERE topic = ?", others)
