"""What the shape of the file cannot say: names, references, and that nothing is used twice.

Each check adds to :class:`Problems` and goes on, so that one run tells everything.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from urllib.parse import parse_qs, urlsplit

from atoll.configuration.problems import Problems, unknown
from atoll.configuration.settings import CollectionSettings, RegionSettings, Settings, ZoneSettings
from atoll.crdt.schema import Rule
from atoll.errors import InvalidName
from atoll.ids import GLOBAL_ZONE, check_name
from atoll.keyspace.topology import Strategy
from atoll.limits import FIELD_NAME_BYTES_MAX, FIELDS_MAX

_COUNTRY = re.compile(r"[A-Za-z]{2}(-[A-Za-z0-9]{1,3})?")
_ADDRESS = re.compile(r"(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\]):(?P<port>\d{1,5})")
_WILDCARDS = {"0.0.0.0", "[::]"}
_TOKEN_KEY = re.compile(r"[0-9a-fA-F]{64}")
_PLANNED_STRATEGIES = {"range", "geo"}
_PLANNED_RULES = {
    "mv",
    "max",
    "min",
    "bounded_counter",
    "remove_wins_set",
    "enable_wins_flag",
    "disable_wins_flag",
    "map",
    "list",
}


def check(settings: Settings, problems: Problems) -> None:
    """Add every contradiction in ``settings`` to ``problems``."""
    _name("ring", "ring", settings.ring, problems)
    _check_regions(settings, problems)
    _check_databases(settings, problems)
    _check_addresses(settings, problems)
    _check_zones(settings, problems)
    for name, collection in settings.collections.items():
        _check_collection(f"collections.{name}", name, collection, settings, problems)
    if settings.token_key is not None:
        _check_token_key(settings, settings.token_key, problems)


def _name(key: str, kind: str, name: str, problems: Problems) -> None:
    try:
        check_name(kind, name)
    except InvalidName as error:
        problems.add(key, str(error))


def _check_regions(settings: Settings, problems: Problems) -> None:
    if not settings.regions:
        problems.add("regions", "a ring has at least one region: add [regions.NAME] with its shards")
    for name, region in settings.regions.items():
        _name(f"regions.{name}", "region", name, problems)
        for kind, names in (("node", region.nodes), ("shard", region.shards)):
            if not names:
                problems.add(f"regions.{name}.{kind}s", f"a region has at least one {kind}: name one")
            for part in names:
                _name(f"regions.{name}.{kind}s.{part}", kind, part, problems)


# -- databases and addresses: each used once ----------------------------------------------------------------------


def databases(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Every configured DSN as (region, dotted key, DSN)."""
    for region_name, region in settings.regions.items():
        for shard_name, shard in region.shards.items():
            if shard.dsn is not None:
                yield region_name, f"regions.{region_name}.shards.{shard_name}.dsn", shard.dsn
        if region.catalog is not None:
            yield region_name, f"regions.{region_name}.catalog", region.catalog


def _check_databases(settings: Settings, problems: Problems) -> None:
    users: defaultdict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for region, key, dsn in databases(settings):
        identity = _database_of(dsn)
        if identity is None:
            problems.add(key, "not a Postgres address: write postgresql://user:password@host:port/database")
        else:
            users[identity].append((region, key))
    for uses in users.values():
        for region, key in uses[1:]:
            first_region, first = uses[0]
            own_catalog = region == first_region and key.endswith(".catalog")
            if not own_catalog:
                problems.add(
                    key, f"the same database as {first}: every shard and every region's catalog needs its own"
                )


def _database_of(dsn: str) -> tuple[str, str] | None:
    """Host with port, and database; ``None`` if ``dsn`` names no server."""
    try:
        parts = urlsplit(dsn)
        query = parse_qs(parts.query)
        port = parts.port or 5432
    except ValueError:
        return None
    host = parts.hostname or (query.get("host") or [""])[0]
    if parts.scheme not in ("postgresql", "postgres") or not host:
        return None
    database = parts.path.strip("/") or (query.get("dbname") or query.get("database") or [parts.username or ""])[0]
    return f"{host.lower()}:{port}", database


def _check_addresses(settings: Settings, problems: Problems) -> None:
    seen: dict[str, str] = {}
    for key, address in _addresses(settings.regions):
        found = _ADDRESS.fullmatch(address)
        if found is None or not 1 <= int(found["port"]) <= 65_535:
            problems.add(key, f"{address!r} is not an address: write host:port, for instance 127.0.0.1:7443")
        elif found["host"] in _WILDCARDS:
            problems.add(key, f"{address!r} cannot be dialled: write the address under which others reach the node")
        elif address in seen:
            problems.add(key, f"the same address as {seen[address]}: give each its own port")
        else:
            seen[address] = key


def _addresses(regions: dict[str, RegionSettings]) -> Iterator[tuple[str, str]]:
    for region_name, region in regions.items():
        for node_name, node in region.nodes.items():
            for service, address in (("grpc", node.grpc), ("http", node.http)):
                if address is not None:
                    yield f"regions.{region_name}.nodes.{node_name}.{service}", address


# -- zones and collections ----------------------------------------------------------------------------------------


def _check_zones(settings: Settings, problems: Problems) -> None:
    countries: dict[str, str] = {}
    for name, zone in settings.zones.items():
        key = f"zones.{name}"
        _name(key, "zone", name, problems)
        _check_residency(key, name, zone, settings, problems)
        for code in zone.countries:
            upper = code.upper()
            if _COUNTRY.fullmatch(code) is None:
                problems.add(f"{key}.countries", f"{code!r} is no ISO 3166 code: write it like 'DE' or 'US-CA'")
            elif upper in countries:
                problems.add(
                    f"{key}.countries", f"country {upper!r} is already in {countries[upper]}: keep one of the two"
                )
            else:
                countries[upper] = f"{key}.countries"


def _check_residency(key: str, name: str, zone: ZoneSettings, settings: Settings, problems: Problems) -> None:
    if name != GLOBAL_ZONE:
        for part, value in (("home", zone.home), ("regions", zone.regions)):
            if value is None:
                problems.add(f"{key}.{part}", "is missing: residency is never guessed; add it")
    if zone.regions is not None and not zone.regions:
        problems.add(f"{key}.regions", "empty: name the regions that may hold the zone's records")
    for region in sorted(_repeated(zone.regions or ())):
        problems.add(f"{key}.regions", f"duplicate name {region!r}: remove one of the two")
    for part, names in (("regions", zone.regions or ()), ("home", (zone.home,) if zone.home else ())):
        for region in names:
            if region not in settings.regions:
                problems.add(f"{key}.{part}", unknown("region", region, settings.regions))
    allowed = list(zone.regions or settings.regions)
    home = zone.home or next(iter(settings.regions), None)
    if home in settings.regions and home not in allowed:
        problems.add(
            f"{key}.home", f"{home!r} is not among the zone's regions ({', '.join(allowed)}): add it or move the home"
        )


def _check_collection(
    key: str, name: str, collection: CollectionSettings, settings: Settings, problems: Problems
) -> None:
    _name(key, "collection", name, problems)
    _known(f"{key}.placement", "placement", collection.placement, Strategy, _PLANNED_STRATEGIES, problems)
    if collection.zone is not None and collection.zone not in {*settings.zones, GLOBAL_ZONE}:
        problems.add(f"{key}.zone", unknown("zone", collection.zone, sorted({*settings.zones, GLOBAL_ZONE})))
    if len(collection.fields) > FIELDS_MAX:
        problems.add(f"{key}.fields", f"{len(collection.fields):,} fields: at most {FIELDS_MAX:,} are allowed")
    for field, rule in collection.fields.items():
        if not field or "\0" in field or len(field.encode()) > FIELD_NAME_BYTES_MAX:
            problems.add(
                f"{key}.fields", f"field name {field[:40]!r} needs 1 to {FIELD_NAME_BYTES_MAX} bytes without NUL"
            )
        _known(f"{key}.fields.{field}", "merge rule", rule, Rule, _PLANNED_RULES, problems)


def _known(key: str, kind: str, value: str, known: Iterable[str], planned: set[str], problems: Problems) -> None:
    names = [str(name) for name in known]
    if value in names:
        return
    if value in planned:
        problems.add(key, f"{kind} {value!r} is not available yet: use one of {', '.join(names)}")
    else:
        problems.add(key, unknown(kind, value, names))


def _check_token_key(settings: Settings, token_key: str, problems: Problems) -> None:
    if settings.token_key_file is not None:
        problems.add("token_key", "given beside token_key_file: keep one of the two")
    if _TOKEN_KEY.fullmatch(token_key) is None:
        problems.add("token_key", "64 hexadecimal digits expected (32 bytes); `openssl rand -hex 32` makes some")


def _repeated(names: Iterable[str]) -> set[str]:
    seen: set[str] = set()
    return {name for name in names if name in seen or seen.add(name)}  # type: ignore[func-returns-value]
