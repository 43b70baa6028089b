"""`shardlog_wait_for`: a function in the projections' schema, for whoever reads there and has a consistency token."""

from __future__ import annotations

from typing import Any

from psycopg import Connection
from psycopg.sql import SQL, Identifier, Literal

from shardlog.adapters.sql.tables import BUILDS, CHECKPOINTS

FUNCTION = "shardlog_wait_for"
TIMEOUT_MS_MAX = 600_000
LOOK_SECONDS = 0.01

_STAND = SQL(
    """
    SELECT made.projection, coalesce(here.next, 0) AS next, made.paused, made.stopped <> '' AS is_stopped,
           (SELECT min(held.journal) FROM {checkpoints} held WHERE held.projection = made.projection
                AND held.version = made.version AND held.build = made.build AND held.journal <> parts[1]) AS other,
           (SELECT min(held.shards) FROM {checkpoints} held WHERE held.projection = made.projection
                AND held.version = made.version AND held.build = made.build) AS shards
    FROM {builds} made
    LEFT JOIN {checkpoints} here ON here.projection = made.projection AND here.version = made.version
        AND here.build = made.build AND here.journal = parts[1] AND here.shard = parts[2]::integer
    WHERE made.state = 'serving' AND (wanted IS NULL OR made.projection = wanted)
    """
).format(checkpoints=Identifier(CHECKPOINTS.name), builds=Identifier(BUILDS.name))
"""How far each wanted projection has read the token's shard."""

_BODY = SQL(
    r"""
#variable_conflict use_column
DECLARE
    wanted text := shardlog_wait_for.projection;
    wait_ms integer := shardlog_wait_for.timeout_ms;
    isolation text := current_setting('transaction_isolation');
    give_up timestamptz := clock_timestamp() + wait_ms * interval '1 millisecond';
    parts text[] := regexp_match(token, '^([^.]+)\.([0-9]{{1,9}})\.([0-9]{{1,18}})\.([0-9]{{1,9}})$');
    behind text;
    stopped text;
    other text;
    shards integer;
    known integer;
BEGIN
    IF parts IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SL001', HINT = 'Give a token exactly as it came with the answer to a command.',
            MESSAGE = format('%L is no consistency token: it is JOURNAL.SHARD.OFFSET.INDEX, three numbers after the '
                'journal''s id', left(token, 100));
    END IF;
    IF wait_ms IS NULL OR wait_ms NOT BETWEEN 0 AND {most} THEN
        RAISE EXCEPTION USING ERRCODE = 'SL007', HINT = 'It is in milliseconds.',
            MESSAGE = format('timeout_ms is %s, and must be from 0 to {most}', coalesce(wait_ms::text, 'null'));
    END IF;
    IF isolation NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION USING ERRCODE = 'SL006', HINT = 'Wait in a statement of its own, then begin the transaction.',
            MESSAGE = format('a transaction that is %s sees the rows of its beginning only, so the wait would be in '
                'vain', isolation);
    END IF;
    LOOP
        SELECT string_agg(format('%s has read shard %s up to offset %s%s', stand.projection, parts[2], stand.next,
                   CASE WHEN stand.paused THEN ', and is paused' ELSE '' END), ', ' ORDER BY stand.projection)
                   FILTER (WHERE stand.next <= parts[3]::bigint),
               string_agg(stand.projection, ', ' ORDER BY stand.projection)
                   FILTER (WHERE stand.next <= parts[3]::bigint AND stand.is_stopped),
               min(stand.other), min(stand.shards), count(*)
            INTO behind, stopped, other, shards, known FROM ({stand}) stand;
        IF known = 0 THEN
            SELECT string_agg(DISTINCT made.projection, ', ') INTO other FROM {builds} made
                WHERE made.state = 'serving';
            RAISE EXCEPTION USING ERRCODE = 'SL003', HINT = 'Leave the name out to wait for all of them.',
                MESSAGE = format('there is no projection %L here; there are: %s', left(coalesce(wanted, ''), 100),
                    coalesce(other, 'none'));
        ELSIF other IS NOT NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'SL002', HINT = 'Ask the database that is kept from the token''s journal.',
                MESSAGE = format('the token is of journal %s, and these tables are kept from %s', parts[1], other);
        ELSIF parts[2]::integer >= shards THEN
            RAISE EXCEPTION USING ERRCODE = 'SL001', HINT = 'Give a token exactly as it came.',
                MESSAGE = format('the token is of shard %s, and the journal has %s, from 0', parts[2], shards);
        ELSIF behind IS NULL THEN
            RETURN;
        ELSIF stopped IS NOT NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'SL005', HINT = 'Ask whoever runs it; it goes on when that is repaired.',
                MESSAGE = format('offset %s of shard %s is not read before somebody repairs what is stopped: %s',
                    parts[3], parts[2], stopped);
        ELSIF clock_timestamp() >= give_up THEN
            RAISE EXCEPTION USING ERRCODE = 'SL004', HINT = 'Wait again, or look at the projection''s lag.',
                MESSAGE = format('offset %s of shard %s has not been read within %s ms: %s', parts[3], parts[2],
                    wait_ms, behind);
        END IF;
        PERFORM pg_sleep({look});
    END LOOP;
END
"""
)
_MAKE = SQL(
    "CREATE OR REPLACE FUNCTION {function}(token text, timeout_ms integer DEFAULT 5000, projection text DEFAULT NULL)"
    " RETURNS void LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path TO {schema}, pg_temp"
    " AS {body}"
)
_COMMENT = (
    "Waits until the projections' tables have what a consistency token stands for: all of them, or the named one. "
    "Raises SL001 bad token, SL002 another journal, SL003 unknown projection, SL004 time is up, SL005 one is stopped, "
    "SL006 a transaction of one moment, SL007 bad timeout_ms. To be called in a statement of its own."
)


def make_function(driver: Connection[Any], schema: str) -> None:
    """Make the function, or put this version in place of an older one, where the schema is locked for that.

    It is VOLATILE so that each of its looks sees what was committed since, and has no rights but its caller's.
    """
    body = _BODY.format(
        most=Literal(TIMEOUT_MS_MAX), look=Literal(LOOK_SECONDS), stand=_STAND, builds=Identifier(BUILDS.name)
    ).as_string(driver)
    place = Identifier(schema, FUNCTION)
    driver.execute(_MAKE.format(function=place, schema=Identifier(schema), body=Literal(body)))
    driver.execute(SQL("COMMENT ON FUNCTION {} IS {}").format(place, Literal(_COMMENT)))
