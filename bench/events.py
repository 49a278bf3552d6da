"""Events of nobody, of realistic size and skew, made by ClickHouse itself from a fixed seed.

Sessions of 1 to 19 events by visitors of whom few come often; sixty custom names beside
PostHog's own, a page view first; browser properties of about 900 bytes. The same
numbers give the same events.
"""

from __future__ import annotations

from datetime import datetime

SEED = 20261121
MEAN_SESSION = 10
VISITORS_PER_EVENT = 0.06


def select(events: int, days: int, ends_at: datetime) -> str:
    """The ClickHouse SELECT of `events` events over the `days` before `ends_at`, as `LocalPostHog.load_rows` takes it."""
    sessions, visitors = events // MEAN_SESSION, max(1, int(events * VISITORS_PER_EVENT))
    end = int(ends_at.timestamp())
    return f"""
    SELECT
        toUUID(UUIDNumToString(MD5(concat('event', toString(session), '/', toString(at))))) AS uuid,
        multiIf(
            at = 0, '$pageview', dice < 38, '$pageview', dice < 58, '$autocapture', dice < 66, '$pageleave',
            dice < 74, '$feature_flag_called', dice < 75, '$exception',
            concat('custom event ', toString(toUInt32(floor(pow(luck, 3) * 60))))) AS event,
        concat('visitor-', toString(visitor)) AS distinct_id,
        toDateTime64(began + at * (5 + cityHash64({SEED}, session) % 50), 6, 'UTC') AS timestamp,
        concat(
            '{{"$session_id":"', UUIDNumToString(MD5(concat('session', toString(session)))),
            '","$window_id":"', UUIDNumToString(MD5(concat('window', toString(session)))),
            if(event = '$feature_flag_called', concat(
                '","$feature_flag":"flag-', toString(toUInt32(floor(pow(luck, 2) * 40))),
                '","$feature_flag_response":"', ['control', 'test', 'true'][1 + roll % 3]), ''),
            '","$current_url":"https://shop.example/catalogue/', toString(roll % 5000), '?page=', toString(dice),
            '","$pathname":"/catalogue/', toString(roll % 5000),
            '","$host":"shop.example","$browser":"', ['Chrome', 'Safari', 'Firefox', 'Edge'][1 + visitor % 4],
            '","$os":"', ['Windows', 'Mac OS X', 'Android', 'iOS'][1 + visitor % 4],
            '","$device_type":"', ['Desktop', 'Mobile'][1 + visitor % 2],
            '","$lib":"web","$lib_version":"1.2', toString(roll % 90),
            '","$ip":"203.0.113.', toString(visitor % 250),
            '","$raw_user_agent":"Mozilla/5.0 (Example OS 10_15_7) ExampleKit/537.36 (like others) Browser/', toString(100 + visitor % 40),
            '","$screen_height":1080,"$screen_width":1920,"$viewport_height":', toString(600 + roll % 400),
            ',"$viewport_width":', toString(900 + roll % 900),
            ',"$referrer":"https://search.example/?q=', hex(sipHash64(session)),
            '","$referring_domain":"search.example","$time":', toString(began),
            ',"$device_id":"', UUIDNumToString(MD5(concat('device', toString(visitor)))),
            '","$insert_id":"', hex(sipHash128(session, at)), '","plan":"', ['free', 'team', 'business'][1 + visitor % 3],
            '","price":', toString(roll % 900), ',"items":[', toString(roll % 30), ',', toString(dice), ']}}') AS properties
    FROM (
        SELECT *, cityHash64({SEED + 1}, session, at) AS roll, roll % 100 AS dice, (intDiv(roll, 128) % 1000000) / 1000000 AS luck
        FROM (
            SELECT
                number AS session,
                toUInt32(floor(pow((cityHash64({SEED + 2}, number) % 1000000) / 1000000, 2) * {visitors})) AS visitor,
                {end} - 3600 - cityHash64({SEED + 3}, number) % ({days} * 86400 - 3600) AS began,
                arrayJoin(range(1 + cityHash64({SEED + 4}, number) % {2 * MEAN_SESSION - 1})) AS at
            FROM numbers({sessions + sessions // 10 + 10})))
    LIMIT {events}
    """
