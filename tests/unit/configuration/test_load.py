"""``atoll.toml``: what it makes of a good file, and what it says of a bad one: file, key and fix, all at once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from atoll.configuration import Allotment, Configuration, NodeAddresses, NodeAt, load
from atoll.crdt.schema import Rule
from atoll.errors import InvalidConfiguration, NotRunning
from atoll.ids import CollectionName, NodeName, Origin, RegionName, ShardName, ZoneName
from atoll.keyspace.topology import Strategy

EXAMPLE = Path(__file__).parents[3] / "deploy" / "atoll.example.toml"

FRANKFURT, VIRGINIA, TOKYO = RegionName("frankfurt"), RegionName("virginia"), RegionName("tokyo")

GOOD = """
ring = "demo"

[regions.frankfurt]
shards = ["s1", "s2"]

[regions.tokyo.shards.s1]
dsn = "postgresql://me@db/one"

[regions.tokyo.nodes.n1]
grpc = "127.0.0.1:7443"

[zones.europe]
home = "frankfurt"
regions = ["frankfurt", "tokyo"]
countries = ["DE", "fr", "US-CA"]

[collections.cities]
placement = "hybrid"

[collections.cities.fields]
visits = "counter"
tags = "add_wins_set"
"""

Write = Callable[[str], Path]


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("ATOLL_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        file = tmp_path / "atoll.toml"
        file.write_text(text, encoding="utf-8")
        return file

    return write


def allot_all(configuration: Configuration) -> Allotment:
    """Ports and servers for whatever the file leaves open."""
    return Allotment(
        addresses={
            at: NodeAddresses(f"127.0.0.1:{30_000 + number}", f"127.0.0.1:{31_000 + number}")
            for number, at in enumerate(configuration.addresses())
        },
        dsns={origin: f"postgresql://launched/{origin}" for origin in configuration.shards_to_launch()},
    )


# -- good files ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "keys"), [("shards", 'shards = "x1"'), ("nodes", 'nodes = "x1"\nshards = ["s1"]')])
def test_name_in_place_of_a_list_is_told_how_to_be_written(write: Write, kind: str, keys: str) -> None:
    file = write(f'ring = "r"\n[regions.oslo]\n{keys}\n')
    with pytest.raises(InvalidConfiguration, match=rf'regions\.oslo\.{kind}: write a list: {kind} = \["x1"\]'):
        load(file)


def test_good_file_becomes_a_topology(write: Write) -> None:
    configuration = load(write(GOOD))
    topology = configuration.topology(allot_all(configuration))
    assert topology.ring == "demo"
    assert [shard.name for shard in topology.regions[FRANKFURT].shards] == ["s1", "s2"]
    assert topology.regions[TOKYO].shards[0].dsn == "postgresql://me@db/one"
    cities = topology.collection("cities")
    assert cities.strategy is Strategy.HYBRID
    assert cities.schema.fields == {"visits": Rule.COUNTER, "tags": Rule.ADD_WINS_SET}
    assert topology.zone_of_country("de") == "europe"
    assert topology.zone_of_country("FR-IDF") == "europe"
    assert topology.zone_of_country("US-CA") == "europe"


def test_global_zone_is_implied_with_all_regions_and_the_first_as_home(write: Write) -> None:
    configuration = load(write(GOOD))
    zone = configuration.topology(allot_all(configuration)).zone("global")
    assert (zone.home, list(zone.regions)) == (FRANKFURT, [FRANKFURT, TOKYO])


def test_global_zone_may_be_configured(write: Write) -> None:
    configuration = load(write(GOOD + '[zones.global]\nhome = "tokyo"\nregions = ["tokyo"]\n'))
    zone = configuration.topology(allot_all(configuration)).zone("global")
    assert (zone.home, list(zone.regions)) == (TOKYO, [TOKYO])


def test_given_address_wins_over_the_allotted_one_and_the_other_is_filled_in(write: Write) -> None:
    configuration = load(write(GOOD))
    node = configuration.topology(allot_all(configuration)).regions[TOKYO].nodes[0]
    assert (node.grpc, node.http) == ("127.0.0.1:7443", "127.0.0.1:31001")


def test_shards_without_a_dsn_are_for_the_launcher(write: Write) -> None:
    configuration = load(write(GOOD))
    launched = [Origin(FRANKFURT, ShardName("s1")), Origin(FRANKFURT, ShardName("s2"))]
    assert configuration.shards_to_launch() == launched
    shards = configuration.topology(allot_all(configuration)).regions[FRANKFURT].shards
    assert [shard.dsn for shard in shards] == [f"postgresql://launched/{origin}" for origin in launched]
    assert configuration.given_dsns() == {"regions.tokyo.shards.s1.dsn": "postgresql://me@db/one"}


def test_topology_without_addresses_asks_for_atoll_up(write: Write) -> None:
    with pytest.raises(NotRunning, match=r"regions\.frankfurt\.nodes\.n1\.grpc"):
        load(write(GOOD)).topology()


def test_state_directory_is_beside_the_file_by_default_and_relative_to_it(write: Write, tmp_path: Path) -> None:
    assert load(write(GOOD)).state_directory == tmp_path / ".atoll"
    assert load(write(GOOD)).token_key_file == tmp_path / ".atoll" / "token.key"
    assert load(write('state_directory = "state"\n' + GOOD)).state_directory == tmp_path / "state"
    assert load(write('state_directory = "/var/lib/atoll"\n' + GOOD)).state_directory == Path("/var/lib/atoll")


def test_environment_wins_over_the_file_and_leaves_the_rest(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATOLL_RING", "staging")
    monkeypatch.setenv("ATOLL_REGIONS__FRANKFURT__SHARDS__S2__DSN", "postgresql://me@db/two")
    configuration = load(write(GOOD))
    topology = configuration.topology(allot_all(configuration))
    assert topology.ring == "staging"
    assert [(s.name, s.dsn) for s in topology.regions[FRANKFURT].shards] == [
        ("s1", "postgresql://launched/frankfurt/s1"),
        ("s2", "postgresql://me@db/two"),
    ]


def test_catalog_may_share_the_database_of_a_shard_of_its_own_region(write: Write) -> None:
    configuration = load(write(GOOD + '[regions.tokyo]\ncatalog = "postgresql://me@db/one"\n'))
    assert configuration.topology(allot_all(configuration)).regions[TOKYO].catalog_dsn == "postgresql://me@db/one"


def test_shipped_example_loads() -> None:
    configuration = load(EXAMPLE)
    topology = configuration.topology(allot_all(configuration))
    assert list(topology.regions) == [FRANKFURT, VIRGINIA, TOKYO]
    assert [node.name for node in topology.regions[VIRGINIA].nodes] == [NodeName("n1"), NodeName("n2")]
    assert topology.collections[CollectionName("patients")].zone == ZoneName("germany-only")
    assert topology.collections[CollectionName("patients")].schema.strict
    assert [zone.name for zone in topology.hosted_zones(TOKYO)] == ["europe", "global"]
    assert NodeAt(TOKYO, NodeName("n1")) in configuration.addresses()


# -- bad files ----------------------------------------------------------------------------------------------------

BAD: dict[str, tuple[str, str, str]] = {
    # name: (what is put in the good file's place, key, fix)
    "unknown key": ("extra = 1\n" + GOOD, "extra", "no such key"),
    "unknown key with a likely one": ("rign = 'x'\n" + GOOD, "rign", "did you mean 'ring'?"),
    "unknown nested key": (
        GOOD.replace("grpc =", "gprc ="),
        "regions.tokyo.nodes.n1.gprc",
        "did you mean 'grpc'? known: grpc, http",
    ),
    "missing ring": (GOOD.replace('ring = "demo"', ""), "ring", "add it"),
    "missing shards": (GOOD + "[regions.oslo]\n", "regions.oslo.shards", "add it"),
    "no regions": ('ring = "demo"\n[regions]\n', "regions", "add [regions.NAME]"),
    "no shards": (GOOD + "[regions.oslo]\nshards = []\n", "regions.oslo.shards", "at least one shard"),
    "wrong type": (GOOD.replace('"demo"', "7"), "ring", "should be a valid string, not 7"),
    "list of numbers as shards": (GOOD.replace('["s1", "s2"]', "[1]"), "regions.frankfurt.shards", "list of names"),
    "duplicate shard": (
        GOOD.replace('["s1", "s2"]', '["s1", "s1"]'),
        "regions.frankfurt.shards",
        "duplicate name 's1'",
    ),
    "duplicate key": (GOOD + "[regions.frankfurt]\n", "line 24", "duplicate name in '[regions.frankfurt]'"),
    "duplicate value": ('ring = "a"\n' + GOOD, "line 3", "remove or rename one"),
    "syntax": (GOOD.replace('"demo"', '"demo'), "line 2", "not valid TOML"),
    "same database twice": (
        GOOD + '[regions.oslo.shards.s1]\ndsn = "postgres://you:pw@DB:5432/one"\n',
        "regions.oslo.shards.s1.dsn",
        "the same database as regions.tokyo.shards.s1.dsn",
    ),
    "catalog of another region's shard": (
        GOOD + '[regions.oslo]\nshards = ["s1"]\ncatalog = "postgresql://me@db/one"\n',
        "regions.oslo.catalog",
        "needs its own",
    ),
    "dsn that is none": (
        GOOD.replace("postgresql://me@db/one", "db/one"),
        "regions.tokyo.shards.s1.dsn",
        "postgresql://",
    ),
    "same country in two zones": (
        GOOD + '[zones.asia]\nhome = "tokyo"\nregions = ["tokyo"]\ncountries = ["de"]\n',
        "zones.asia.countries",
        "country 'DE' is already in zones.europe.countries",
    ),
    "country that is none": (GOOD.replace('"DE"', '"Germany"'), "zones.europe.countries", "ISO 3166"),
    "same address twice": (
        GOOD + '[regions.frankfurt.nodes.n1]\nhttp = "127.0.0.1:7443"\n',
        "regions.tokyo.nodes.n1.grpc",
        "the same address as regions.frankfurt.nodes.n1.http",
    ),
    "address that is none": (GOOD.replace(":7443", ""), "regions.tokyo.nodes.n1.grpc", "host:port"),
    "address with a port too high": (GOOD.replace(":7443", ":70000"), "regions.tokyo.nodes.n1.grpc", "host:port"),
    "wildcard address": (GOOD.replace("127.0.0.1", "0.0.0.0"), "regions.tokyo.nodes.n1.grpc", "cannot be dialled"),
    "unknown region in a zone": (
        GOOD.replace('["frankfurt", "tokyo"]', '["frankfurt", "tokio"]'),
        "zones.europe.regions",
        "did you mean 'tokyo'?",
    ),
    "home of a zone is unknown": (
        GOOD.replace('home = "frankfurt"', 'home = "mars"'),
        "zones.europe.home",
        "known: frankfurt, tokyo",
    ),
    "home is not among the regions": (
        GOOD.replace('["frankfurt", "tokyo"]', '["tokyo"]'),
        "zones.europe.home",
        "not among the zone's regions",
    ),
    "zone without home": (GOOD.replace('home = "frankfurt"', ""), "zones.europe.home", "is missing"),
    "zone without regions": (
        GOOD.replace('regions = ["frankfurt", "tokyo"]', ""),
        "zones.europe.regions",
        "residency is never guessed",
    ),
    "zone with no region": (GOOD.replace('["frankfurt", "tokyo"]', "[]"), "zones.europe.regions", "empty"),
    "zone with a region twice": (
        GOOD.replace('["frankfurt", "tokyo"]', '["frankfurt", "tokyo", "tokyo"]'),
        "zones.europe.regions",
        "duplicate name 'tokyo'",
    ),
    "unknown merge rule": (
        GOOD.replace('"counter"', '"count"'),
        "collections.cities.fields.visits",
        "did you mean 'counter'?",
    ),
    "merge rule of a later version": (
        GOOD.replace('"counter"', '"bounded_counter"'),
        "collections.cities.fields.visits",
        "not available yet: use one of lww, counter, add_wins_set",
    ),
    "unknown placement": (GOOD.replace('"hybrid"', '"hybird"'), "collections.cities.placement", "'hybrid'"),
    "placement of a later version": (
        GOOD.replace('"hybrid"', '"geo"'),
        "collections.cities.placement",
        "not available yet",
    ),
    "unknown zone of a collection": (
        GOOD.replace('placement = "hybrid"', 'zone = "europa"'),
        "collections.cities.zone",
        "did you mean 'europe'?",
    ),
    "field name too long": (GOOD + f"{'x' * 129} = 'lww'\n", "collections.cities.fields", "1 to 128 bytes"),
    "bad name of a region": (GOOD + '[regions.Oslo]\nshards = ["s1"]\n', "regions.Oslo", "beginning with a letter"),
    "bad name of a shard": (GOOD.replace('"s2"', '"2"'), "regions.frankfurt.shards.2", "beginning with a letter"),
    "bad name of a ring": (GOOD.replace('"demo"', '"my ring"'), "ring", "beginning with a letter"),
    "bad name of a zone": (GOOD.replace("zones.europe", "zones.EU"), "zones.EU", "beginning with a letter"),
    "bad name of a collection": (GOOD.replace("cities", "9lives"), "collections.9lives", "beginning with a letter"),
    "token key too short": ('token_key = "abc"\n' + GOOD, "token_key", "64 hexadecimal digits"),
    "two token keys": (
        f'token_key = "{"a" * 64}"\ntoken_key_file = "k"\n' + GOOD,
        "token_key",
        "keep one of the two",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_file_is_refused_naming_file_key_and_fix(name: str, write: Write) -> None:
    text, key, fix = BAD[name]
    file = write(text)
    with pytest.raises(InvalidConfiguration) as caught:
        load(file)
    lines = str(caught.value).splitlines()
    assert lines[0].startswith(f"{file}: ")
    mine = [line for line in lines if line.removeprefix(f"{file}:").strip().startswith(f"{key}:")]
    assert len(mine) == 1, lines
    assert fix in mine[0]


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfiguration, match=r"nowhere\.toml: no such file: `atoll init`"):
        load(tmp_path / "nowhere.toml")


def test_directory_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfiguration, match="cannot be read"):
        load(tmp_path)


def test_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "atoll.toml"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidConfiguration, match="UTF-8"):
        load(file)


def test_all_problems_are_reported_at_once(write: Write) -> None:
    text = GOOD.replace('"counter"', '"count"').replace('"hybrid"', '"geo"').replace('"DE"', '"Germany"')
    with pytest.raises(InvalidConfiguration) as caught:
        load(write(text))
    assert "3 problems, nothing was started" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 4


def test_problem_that_the_environment_brought_names_the_variable(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATOLL_ZONES__EUROPE__HOME", "mars")
    with pytest.raises(InvalidConfiguration, match=r"zones\.europe\.home \(set by ATOLL_ZONES__EUROPE__HOME\)"):
        load(write(GOOD))


def test_environment_that_does_not_parse_is_refused(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATOLL_COLLECTIONS", "{")
    with pytest.raises(InvalidConfiguration, match=r"atoll\.toml: .*environment"):
        load(write(GOOD))


def test_password_in_a_dsn_is_not_repeated_in_messages(write: Write) -> None:
    secret = GOOD.replace("me@db", "me:hunter2@db")
    with pytest.raises(InvalidConfiguration) as caught:
        load(write(secret + '[regions.oslo.shards.s1]\ndsn = "postgresql://me:hunter2@db/one"\n'))
    assert "hunter2" not in str(caught.value)
