-- What a shard does in one round trip.

-- The advisory locks of ownership rows live in this class, so that they meet nobody else's.
create function atoll.fence_class() returns integer language sql immutable as 'select 1096044364';

-- The ids of the ownership rows that hold the positions; null where there is none. One look-up serves all positions
-- that follow each other in one range, so that sorted positions cost one look-up a range.
create function atoll.owners(positions bytea[]) returns integer[] language plpgsql stable as $$
declare
    ids integer[] := array_fill(null::integer, array[cardinality(positions)]);
    place integer := 0;
    current_position bytea;
    held_id integer;
    held_low bytea;
    held_high bytea;
begin
    foreach current_position in array positions loop
        place := place + 1;
        if held_id is null or current_position < held_low or current_position >= held_high then
            select case when c.state = 1 and (c.high is null or current_position < c.high) then c.id end, c.low, c.high
            into held_id, held_low, held_high
            from atoll.ownership c where c.low <= current_position order by c.low desc limit 1;
        end if;
        ids[place] := held_id;
    end loop;
    return ids;
end $$;

-- Which positions this shard owns, for as long as the transaction lives.
--   1. Find the rows that own them and lock these shared, in order: a claim that comes now waits for this transaction.
--   2. Look at the rows again, in a new snapshot: a claim that came before the lock has committed by now. If it changed
--      one of them, begin again.
create function atoll.fence(positions bytea[]) returns boolean[] language plpgsql as $$
declare
    owners integer[];
    held atoll.ownership[];
begin
    loop
        select o.ids, array(select c from atoll.ownership c where c.id = any (o.ids) order by c.id)
        into owners, held
        from (select atoll.owners(positions) as ids offset 0) o;
        perform pg_advisory_xact_lock_shared(atoll.fence_class(), h.id) from unnest(held) h;
        exit when held = array(select c from atoll.ownership c where c.id = any (owners) order by c.id);
    end loop;
    return array(select o is not null from unnest(owners) with ordinality as x (o, place) order by place);
end $$;

-- How far the shard has come in the caller's snapshot. A change is not in a snapshot exactly if its transaction is
-- at or above xmax or among those in progress, so that two index probes answer, however old the oldest transaction.
create function atoll.progress(
    out captured bigint, out pending boolean, out origins text[], out completed bigint[], out begun bigint[]
) language plpgsql stable as $$
declare
    seen pg_snapshot;
begin
    select b.number, b.snapshot into captured, seen from atoll.batch b order by b.number desc limit 1;
    pending := exists (select from atoll.change_log l where l.xid >= pg_snapshot_xmax(seen))
        or exists (select from pg_snapshot_xip(seen) x join atoll.change_log l on l.xid = x);
    select array_agg(a.origin), array_agg(a.completed), array_agg(a.begun) into origins, completed, begun
    from atoll.applied a;
end $$;

-- Note what the sessions behind this transaction had seen of other shards.
--   Of other regions: as begun here. Whoever reads what is written now depends on it too, and waits until it is complete;
--   and what has begun is in the dependencies of every later batch. The rows are locked before any record, as joins do.
--   Of the region's other shards: beside the changes, for the batch that carries them. Own earlier batches are implied.
create function atoll.depend(seen_origins text[], seen_numbers bigint[]) returns void language plpgsql as $$
declare
    own atoll.identity;
    seen record;
begin
    select i.* into own from atoll.identity i;
    select array_agg(s.origin order by s.origin) filter (where not s.is_sibling) as remote_origins,
        array_agg(s.number order by s.origin) filter (where not s.is_sibling) as remote_numbers,
        array_agg(s.origin) filter (where s.is_sibling) as sibling_origins,
        array_agg(s.number) filter (where s.is_sibling) as sibling_numbers
    into seen
    from (
        select origin, number, starts_with(origin, own.region || '/') as is_sibling
        from unnest(seen_origins, seen_numbers) u (origin, number) where origin <> own.region || '/' || own.shard
    ) s;
    if seen.remote_origins is not null then
        perform atoll.advance(
            seen.remote_origins, seen.remote_numbers, array_fill(0::bigint, array[cardinality(seen.remote_origins)])
        );
    end if;
    if seen.sibling_origins is not null then
        insert into atoll.dependency (origins, numbers) values (seen.sibling_origins, seen.sibling_numbers);
    end if;
end $$;

-- Write rows that are given in the order of the primary key, each if its context is still the previous one.
-- Outcomes: 0 done, 1 stale, 2 fenced. The progress is read after the commit, in a snapshot that sees the writes.
create procedure atoll.write(
    positions bytea[], collections text[], keys text[], previous bytea[], contexts bytea[], states bytea[],
    documents jsonb[], timestamps bigint[], seen_origins text[], seen_numbers bigint[],
    inout outcomes smallint[], inout captured bigint, inout pending boolean, inout origins text[],
    inout completed bigint[], inout begun bigint[]
) language plpgsql as $$
declare
    owned boolean[] := atoll.fence(positions);
    is_done boolean := false;
begin
    if cardinality(seen_origins) > 0 then
        perform atoll.depend(seen_origins, seen_numbers);
    end if;
    outcomes := array_fill(2::smallint, array[cardinality(positions)]);
    for i in 1 .. cardinality(positions) loop
        continue when not owned[i];
        if previous[i] = '' then
            insert into atoll.record (position, collection, key, context, state, document)
            values (positions[i], collections[i], keys[i], contexts[i], states[i], documents[i])
            on conflict do nothing;
        else
            update atoll.record set context = contexts[i], state = states[i], document = documents[i]
            where position = positions[i] and collection = collections[i] and key = keys[i]
                and context = previous[i];
        end if;
        outcomes[i] := case when found then 0 else 1 end;
        is_done := is_done or found;
    end loop;
    if is_done then
        insert into atoll.change_log (position, collection, key, previous_context, context, state, document, timestamp)
        select w.position, w.collection, w.key, w.previous, w.context, w.state, w.document, w.timestamp
        from unnest(positions, collections, keys, previous, contexts, states, documents, timestamps, outcomes)
            as w (position, collection, key, previous, context, state, document, timestamp, outcome)
        where w.outcome = 0;
    end if;
    commit;
    select p.* into captured, pending, origins, completed, begun from atoll.progress() p;
end $$;
