"""The tables a project has in ClickHouse: their statements, and how instants are written into them.

Events are one row for UTC day, event, distinct_id and uuid, the last to arrive; reading must say FINAL.
"""

from datetime import UTC, datetime

EVENT_COLUMNS = (
    "uuid, event, distinct_id, timestamp, created_at, properties, person_id, person_mode, "
    "person_properties, person_created_at, `$session_id`, `$window_id`, elements_chain, "
    "`$group_0`, `$group_1`, `$group_2`, `$group_3`, `$group_4`, arrival"
)
PERSON_COLUMNS = "id, created_at, properties, is_identified, is_deleted, version"
DISTINCT_ID_COLUMNS = "distinct_id, person_id, moved, version"
EVENT_DEFINITION_COLUMNS = "name, created_at, last_seen_at"
PROPERTY_DEFINITION_COLUMNS = "name, kind, property_type, version"
GROUP_COLUMNS = "`index`, key, created_at, updated_at, properties, version"
GROUP_TYPE_COLUMNS = "name, `index`"

_STATEMENTS = (
    """CREATE TABLE IF NOT EXISTS {database}.events (
        uuid UUID, event String, distinct_id String, timestamp DateTime64(6, 'UTC'),
        created_at DateTime64(6, 'UTC'), properties String CODEC(ZSTD(1)), person_id UUID,
        person_mode LowCardinality(String), person_properties String CODEC(ZSTD(1)),
        person_created_at DateTime64(6, 'UTC'), `$session_id` String, `$window_id` String,
        elements_chain String, `$group_0` String, `$group_1` String, `$group_2` String,
        `$group_3` String, `$group_4` String, arrival UInt64
    ) ENGINE = ReplacingMergeTree(arrival)
    ORDER BY (toDate(timestamp), event, distinct_id, uuid)""",
    """CREATE TABLE IF NOT EXISTS {database}.persons (
        id UUID, created_at DateTime64(6, 'UTC'), properties String, is_identified UInt8,
        is_deleted UInt8, version UInt64
    ) ENGINE = ReplacingMergeTree(version) ORDER BY id""",
    """CREATE TABLE IF NOT EXISTS {database}.person_distinct_ids (
        distinct_id String, person_id UUID, moved UInt8, version UInt64
    ) ENGINE = ReplacingMergeTree(version) ORDER BY distinct_id""",
    """CREATE TABLE IF NOT EXISTS {database}.event_definitions (
        name String, created_at DateTime64(6, 'UTC'), last_seen_at DateTime64(6, 'UTC')
    ) ENGINE = ReplacingMergeTree(last_seen_at) ORDER BY name""",
    """CREATE TABLE IF NOT EXISTS {database}.property_definitions (
        name String, kind String, property_type String, version UInt64
    ) ENGINE = ReplacingMergeTree(version) ORDER BY (kind, name)""",
    """CREATE TABLE IF NOT EXISTS {database}.groups (
        `index` UInt8, key String, created_at DateTime64(6, 'UTC'),
        updated_at DateTime64(6, 'UTC'), properties String, version UInt64
    ) ENGINE = ReplacingMergeTree(version) ORDER BY (`index`, key)""",
    """CREATE TABLE IF NOT EXISTS {database}.group_types (name String, `index` UInt8)
    ENGINE = ReplacingMergeTree ORDER BY name""",
)

_EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
_LATEST = datetime(2299, 12, 31, 23, 59, 59, tzinfo=UTC)


def statements(database: str) -> list[str]:
    """What makes a project's database, safe to run again."""
    return [
        f"CREATE DATABASE IF NOT EXISTS {database} ENGINE = Atomic",
        *(statement.format(database=database) for statement in _STATEMENTS),
    ]


def written(instant: datetime) -> str:
    """An instant as ClickHouse reads it into a UTC column, held to the years the column knows."""
    instant = min(max(instant.astimezone(UTC), _EARLIEST), _LATEST)
    return instant.isoformat(" ", "microseconds")[:26]


def read(text: str) -> datetime:
    """The inverse of `written`."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
