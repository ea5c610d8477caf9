-- One shard's storage: records, the change log, captured batches, what was applied of others, and ownership.
-- The runner has created the schema and the table of migrations; everything here runs in its transaction.

-- Who this shard is. system_identifier and timeline tell a restored, cloned or promoted copy from the original,
-- the birth a database that was made anew.
create table atoll.identity (
    single boolean primary key default true check (single),
    ring text not null,
    region text not null,
    shard text not null,
    incarnation integer not null check (incarnation >= 1),
    system_identifier bigint not null,
    timeline integer not null,
    leased bigint not null default 0,
    birth uuid not null default gen_random_uuid()
) with (fillfactor = 20);

-- A record's newest state. No document: the record is deleted, and the row is its tombstone.
create table atoll.record (
    position bytea not null,
    collection text collate "C" not null,
    key text collate "C" not null,
    context bytea not null,
    state bytea not null,
    document jsonb,
    -- The context an incoming row was made on; read as "excluded.guard" while rows are joined, and never afterwards.
    guard bytea,
    primary key (position, collection, key)
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.1);

-- What this shard's actor wrote. The ordinal is drawn under the row's lock: it orders the changes of one record,
-- which neither the transaction id nor the dot does when several nodes write.
create table atoll.change_log (
    xid xid8 not null default pg_current_xact_id(),
    ordinal bigint generated always as identity,
    position bytea not null,
    collection text collate "C" not null,
    key text collate "C" not null,
    previous_context bytea not null,
    context bytea not null,
    state bytea not null,
    document jsonb,
    timestamp bigint not null,
    complete boolean not null default true
) with (autovacuum_vacuum_scale_factor = 0.1, autovacuum_vacuum_threshold = 10000);

create index change_log_by_xid on atoll.change_log (xid);

-- What the sessions behind a transaction's changes had seen of other shards, beyond what this shard had itself.
create table atoll.dependency (
    xid xid8 not null default pg_current_xact_id(),
    origins text[] not null,
    numbers bigint[] not null
) with (autovacuum_vacuum_scale_factor = 0.1, autovacuum_vacuum_threshold = 1000);

create index dependency_by_xid on atoll.dependency (xid);

-- The boundary of each captured batch: its content is what its snapshot sees and its predecessor's does not.
create table atoll.batch (
    number bigint primary key,
    snapshot pg_snapshot not null,
    incarnation integer not null,
    origins text[] not null,
    numbers bigint[] not null,
    records integer not null,
    timestamp bigint not null
) with (autovacuum_vacuum_scale_factor = 0.1, autovacuum_vacuum_threshold = 1000);

-- The beginning: a snapshot that sees no transaction at all.
insert into atoll.batch values (0, '3:3:', 1, '{}', '{}', 0, 0);

-- How far each other shard's batches were joined here: in full, and at least in part.
create table atoll.applied (
    origin text primary key,
    completed bigint not null,
    begun bigint not null,
    check (0 <= completed and completed <= begun)
) with (fillfactor = 20, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);

create table atoll.acknowledged (
    region text primary key,
    number bigint not null
) with (fillfactor = 20, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);

-- The shard's own claim to ranges of positions. Writers hold the advisory lock of a row's id shared.
create table atoll.ownership (
    low bytea primary key,
    high bytea check (high > low),
    epoch bigint not null,
    state smallint not null,
    id integer generated always as identity unique
);
