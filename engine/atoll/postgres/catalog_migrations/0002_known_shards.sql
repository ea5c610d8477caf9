-- Which database the region has known as each of its shards. Another one under the same name (made anew after a loss, say)
-- would mint dots a second time: it is told by its birth, and refused.
create table atoll_catalog.known_shard (
    name text primary key,
    birth text not null,
    noted_at timestamptz not null default now()
);
