-- Capture, dispatch, joining of remote rows, retention: what replication asks of a shard.

-- The next batch, or nothing when there is nothing to capture or somebody else is at it.
--   1. One capture at a time: who gets the lock sees the batch of whoever had it before.
--   2. One statement, hence one snapshot, finds what is new, what it depends on, and the snapshot itself.
--   3. The insert takes its transaction id after that snapshot, and is flushed before anybody hears of the batch: after
--      a crash no transaction id below the snapshot's xmax is given out again.
create function atoll.capture() returns setof atoll.batch language plpgsql as $$
declare
    following atoll.batch;
    previous_records integer;
begin
    if not pg_try_advisory_xact_lock(atoll.fence_class() + 1, 0) then
        return;
    end if;
    with last as materialized (
        select number, snapshot, records from atoll.batch order by number desc limit 1
    ), fresh as materialized (
        select l.position, l.collection, l.key, l.timestamp
        from atoll.change_log l where l.xid >= (select pg_snapshot_xmax(snapshot) from last)
        union all
        select l.position, l.collection, l.key, l.timestamp
        from last, pg_snapshot_xip(last.snapshot) x join atoll.change_log l on l.xid = x
    ), seen as (
        select origin, begun as number from atoll.applied where begun > 0
        union all
        select s.origin, s.number
        from atoll.dependency d, unnest(d.origins, d.numbers) s (origin, number)
        where d.xid >= (select pg_snapshot_xmax(snapshot) from last)
        union all
        select s.origin, s.number
        from last, pg_snapshot_xip(last.snapshot) x join atoll.dependency d on d.xid = x,
            unnest(d.origins, d.numbers) s (origin, number)
    ), needed as (
        select s.origin, max(s.number) as number from seen s, atoll.identity i
        where s.origin <> i.region || '/' || i.shard group by s.origin
    )
    select last.number + 1, pg_current_snapshot(), i.incarnation,
        array(select n.origin from needed n order by n.origin), array(select n.number from needed n order by n.origin),
        (select count(*) from (select from fresh group by position, collection, key) g),
        coalesce((select max(f.timestamp) from fresh f), 0), last.records
    into following.number, following.snapshot, following.incarnation, following.origins, following.numbers,
        following.records, following.timestamp, previous_records
    from last, atoll.identity i;
    if following.records = 0 and previous_records = 0 then
        return;
    end if;
    insert into atoll.batch values (following.*);
    return next following;
end $$;

-- The boundary of a batch; an error if the batch was collected or never captured: an empty answer would lose rows.
create function atoll.boundary(of_number bigint) returns pg_snapshot language plpgsql stable as $$
declare
    found_snapshot pg_snapshot;
begin
    select b.snapshot into found_snapshot from atoll.batch b where b.number = of_number;
    if not found then
        raise exception 'batch % is not here', of_number using errcode = 'no_data_found';
    end if;
    return found_snapshot;
end $$;

-- Move the cuts, never back: per origin the last batch that has begun and the last that is complete, 0 if none is new.
-- In the order of the origins, so that two joins never wait for each other in a circle; and only what moves, so that
-- they do not wait at all where one of them has nothing to move.
create function atoll.advance(origins text[], begun_numbers bigint[], completed_numbers bigint[])
returns void language plpgsql as $$
begin
    insert into atoll.applied (origin, completed, begun)
    select n.origin, n.completed, n.begun
    from unnest(origins, begun_numbers, completed_numbers) as n (origin, begun, completed)
    left join atoll.applied a on a.origin = n.origin
    where a.origin is null or a.begun < n.begun or a.completed < n.completed
    order by n.origin
    on conflict (origin) do update
    set completed = greatest(applied.completed, excluded.completed), begun = greatest(applied.begun, excluded.begun);
end $$;

-- Rows of one record in one chunk: a chain of whole states, each made on the one before, collapses to its last state on
-- its first previous context. What is no chain is marked, to be joined one by one.
create function atoll.collapse_staged() returns void language plpgsql as $$
declare
    loose tid[];
    gone tid[];
    kept tid[];
    firsts bytea[];
begin
    if not exists (select from staged group by position, collection, key having count(*) > 1) then
        return;
    end if;
    select array_agg(place) filter (where not whole), array_agg(place) filter (where whole and not is_last),
        array_agg(place) filter (where whole and is_last), array_agg(first) filter (where whole and is_last)
    into loose, gone, kept, firsts
    from (
        select place, bool_and(linked) over (partition by position, collection, key) as whole, first, is_last
        from (
            select position, collection, key, ctid as place,
                complete and coalesce(previous_context = lag(context) over o, true) as linked,
                first_value(previous_context) over o as first,
                lead(key) over o is null as is_last,
                count(*) over (partition by position, collection, key) as changes
            from staged window o as (partition by position, collection, key order by ctid)
        ) l
        where changes > 1
    ) w;
    update staged set single = false where ctid = any (loose);
    delete from staged where ctid = any (gone);
    update staged set previous_context = k.first from unnest(kept, firsts) as k (place, first)
    where staged.ctid = k.place;
end $$;

-- Join the staged rows as far as bytes can tell, and move the cut. Rows are inserted or locked in the order of the
-- primary key, in one pass. A row whose local context is the one it was made on is overwritten: equal contexts have
-- equal bytes, so that is the join. What is left (both sides changed, a delta, or no chain) is returned with the local
-- row, which stays locked, for the merge code. If a row is not owned, only the places of such rows are returned.
create function atoll.join_staged(
    origins text[], begun_numbers bigint[], completed_numbers bigint[],
    out fenced_positions bytea[], out fenced_collections text[], out fenced_keys text[],
    out records integer, out inserted integer, out overwritten integer,
    out positions bytea[], out collections text[], out keys text[], out contexts bytea[], out states bytea[],
    out local_contexts bytea[], out local_states bytea[], out are_new boolean[]
) language plpgsql as $$
declare
    places bytea[];
    owned boolean[];
begin
    perform atoll.collapse_staged();
    select array_agg(s.position order by s.position, s.collection, s.key), count(*) into places, records
    from staged s;
    owned := atoll.fence(places);
    if false = any (owned) then
        select array_agg(f.position), array_agg(f.collection), array_agg(f.key)
        into fenced_positions, fenced_collections, fenced_keys
        from (
            select distinct s.position, s.collection, s.key
            from staged s join unnest(places, owned) p (position, owned) on p.position = s.position and not p.owned
        ) f;
        return;
    end if;
    perform atoll.advance(origins, begun_numbers, completed_numbers);
    with joined as (
        insert into atoll.record (position, collection, key, context, state, document, guard)
        select distinct on (s.position, s.collection, s.key)
            s.position, s.collection, s.key, s.context, s.state, s.document,
            case when s.single and s.complete then nullif(s.previous_context, '') end
        from staged s order by s.position, s.collection, s.key
        on conflict (position, collection, key) do update
        set context = excluded.context, state = excluded.state, document = excluded.document
        where record.context = excluded.guard
        returning xmax = 0 as is_new
    )
    select count(*) filter (where is_new), count(*) filter (where not is_new) into inserted, overwritten from joined;
    if inserted + overwritten = records and not exists (select from staged s where not s.complete) then
        return;
    end if;
    select count(*) into records from (select from staged s group by s.position, s.collection, s.key) g;
    select array_agg(l.position), array_agg(l.collection), array_agg(l.key), array_agg(l.context), array_agg(l.state),
        array_agg(local_context), array_agg(local_state), array_agg(is_new)
    into positions, collections, keys, contexts, states, local_contexts, local_states, are_new
    from (
        select s.position, s.collection, s.key, s.context, s.state, r.context as local_context,
            -- A hot record may have hundreds of rows: the local state goes with the first alone.
            case when row_number() over (partition by s.position, s.collection, s.key order by s.ctid) = 1 then r.state end
                as local_state,
            r.xmin = pg_current_xact_id()::xid as is_new
        from staged s join atoll.record r
            on r.position = s.position and r.collection = s.collection and r.key = s.key
        where r.context <> s.context or not s.complete
        order by s.position, s.collection, s.key, s.ctid
    ) l;
end $$;

-- Write back what the merge code made of rows that join_staged left locked.
create function atoll.write_merged(
    positions bytea[], collections text[], keys text[], contexts bytea[], states bytea[], documents jsonb[]
) returns void language plpgsql as $$
begin
    update atoll.record r set context = w.context, state = w.state, document = w.document
    from unnest(positions, collections, keys, contexts, states, documents)
        as w (position, collection, key, context, state, document)
    where r.position = w.position and r.collection = w.collection and r.key = w.key;
end $$;

-- Take, renew or cut back a range; waits until no transaction that relies on the rows it replaces is in flight.
-- Answers null, or why it was refused.
create function atoll.claim(range_low bytea, range_high bytea, new_epoch bigint, new_state smallint)
returns text language plpgsql as $$
declare
    met atoll.ownership;
begin
    lock table atoll.ownership in share row exclusive mode;
    for met in
        select o.* from atoll.ownership o
        where (range_high is null or o.low < range_high) and (o.high is null or range_low < o.high) order by o.id
    loop
        if met.low <> range_low or met.high is distinct from range_high then
            return format('it overlaps the range from %s to %s of epoch %s',
                encode(met.low, 'hex'), coalesce(encode(met.high, 'hex'), 'the end'), met.epoch);
        end if;
        if met.epoch > new_epoch then
            return format('the shard holds it at epoch %s already', met.epoch);
        end if;
        perform pg_advisory_xact_lock(atoll.fence_class(), met.id);
    end loop;
    insert into atoll.ownership (low, high, epoch, state) values (range_low, range_high, new_epoch, new_state)
    on conflict (low) do update set epoch = excluded.epoch, state = excluded.state;
    return null;
end $$;

-- Forget the batches that all members have acknowledged but the last of them, which stays as the base of the next, and
-- answer its number. Without members, whatever was captured is acknowledged.
create function atoll.collect_batches(members text[]) returns bigint language plpgsql as $$
declare
    base bigint;
begin
    select coalesce(min(coalesce(a.number, 0)), (select max(number) from atoll.batch)) into base
    from unnest(members) m (region) left join atoll.acknowledged a on a.region = m.region;
    select coalesce(max(number) filter (where number <= base), min(number)) into base from atoll.batch;
    delete from atoll.batch where number < base;
    return base;
end $$;

-- Delete log rows that the base batch's snapshot sees: they are in it or before it, so nobody will ask for them. Batch
-- rows are gone before their log rows, each in its own transaction: who still sees a batch sees all its rows.
create function atoll.collect_log(base bigint, row_limit integer) returns integer language plpgsql as $$
declare
    deleted integer;
    boundary pg_snapshot := atoll.boundary(base);
begin
    delete from atoll.change_log where ctid = any (array(
        select ctid from atoll.change_log
        where xid < pg_snapshot_xmax(boundary) and pg_visible_in_snapshot(xid, boundary)
        order by xid limit row_limit
    ));
    get diagnostics deleted = row_count;
    if deleted = 0 then
        delete from atoll.dependency where xid < pg_snapshot_xmax(boundary) and pg_visible_in_snapshot(xid, boundary);
    end if;
    return deleted;
end $$;

-- Figures; the size of the log is estimated, all else is exact. A whole scan is what counting takes.
create function atoll.statistics(
    out records bigint, out tombstones bigint, out log_rows bigint, out log_bytes bigint, out captured bigint
) language sql stable set enable_seqscan = on as $$
    select count(*) filter (where document is not null), count(*) filter (where document is null),
        (select greatest(pg_stat_get_live_tuples('atoll.change_log'::regclass), 0)),
        pg_total_relation_size('atoll.change_log'), (select max(number) from atoll.batch)
    from atoll.record
$$;
