-- A region's control plane. The runner has created the schema; it may stand in a shard's database or in one of its own.

-- Every version of the shard map that is still kept; the greatest is in force.
create table atoll_catalog.shard_map_version (
    version bigint primary key check (version >= 1),
    document jsonb not null,
    published_at timestamptz not null default now()
);

-- No hybrid timestamp above this one has been used by the region.
create table atoll_catalog.clock_bound (
    single boolean primary key default true check (single),
    bound bigint not null
) with (fillfactor = 20);
