"""``get``, ``put``, ``update``, ``delete`` and ``where``: one record, from any region."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.markup import escape

from atoll.cli.exit_codes import ExitCode
from atoll.cli.options import (
    DEFAULT_CONFIGURATION,
    CollectionArgument,
    ConfigOption,
    CountryOption,
    JsonOption,
    KeyArgument,
    RegionOption,
    ZoneOption,
)
from atoll.cli.output import answers, print_json, run
from atoll.cli.tables import plain_table
from atoll.cli.values import parse_amount, parse_assignments, parse_object, parse_value, split_assignment
from atoll.control import Location
from atoll.crdt.operations import Add, Clear, FieldOperation, Increment, Remove, Set
from atoll.errors import InvalidValue
from atoll.ids import RegionName

AssignmentsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[FIELD=VALUE]...", help="JSON where it reads as JSON, text otherwise.", show_default=False
    ),
]


def get(
    collection: CollectionArgument,
    key: KeyArgument,
    zone: ZoneOption = None,
    country: CountryOption = None,
    region: RegionOption = None,
    config: ConfigOption = DEFAULT_CONFIGURATION,
    as_json: JsonOption = False,
) -> None:
    """Read a record. Exit code 1 if there is none."""
    from atoll.cli.ring_access import connected, running_topology

    topology = running_topology(config)

    async def read() -> dict[str, Any] | None:
        async with connected(topology, region) as client:
            return await client.get(collection, key, zone=zone, country=country)

    record = run(read())
    if as_json:
        print_json(record)
    elif record is None:
        answers.print(f"there is no record {escape(key)!r} in {escape(collection)}")
    else:
        table = plain_table("field", "value")
        for field, value in record.items():
            table.add_row(escape(field), escape(_shown(value)))
        answers.print(table)
    if record is None:
        raise typer.Exit(ExitCode.NO)


def put(
    collection: CollectionArgument,
    key: KeyArgument,
    assignments: AssignmentsArgument = None,
    value: Annotated[
        str | None, typer.Option("--value", metavar="JSON", help="The whole record as a JSON object.")
    ] = None,
    zone: ZoneOption = None,
    country: CountryOption = None,
    region: RegionOption = None,
    config: ConfigOption = DEFAULT_CONFIGURATION,
    as_json: JsonOption = False,
) -> None:
    """Replace a record: afterwards it holds exactly these fields.

    For example: [bold]atoll put cities Köln --country DE name=Köln 'motto=Et hätt noch immer jot jejange'[/]
    """
    from atoll.cli.ring_access import connected, running_topology

    if value is None and not assignments:
        raise InvalidValue("nothing to write: give FIELD=VALUE, or --value '{}' for a record without fields")
    if value is not None and assignments:
        raise InvalidValue("give the fields either as FIELD=VALUE or with --value, not both")
    fields = parse_assignments(assignments or []) if value is None else parse_object(value)
    topology = running_topology(config)

    async def write() -> None:
        async with connected(topology, region) as client:
            await client.put(collection, key, fields, zone=zone, country=country)

    run(write())
    _written(as_json)


def update(
    collection: CollectionArgument,
    key: KeyArgument,
    assignments: AssignmentsArgument = None,
    increment: Annotated[
        list[str] | None, typer.Option("--increment", metavar="FIELD=N", help="Count up or down; a counter.")
    ] = None,
    add: Annotated[
        list[str] | None, typer.Option("--add", metavar="FIELD=X", help="Add an element to a set; may be repeated.")
    ] = None,
    remove: Annotated[
        list[str] | None, typer.Option("--remove", metavar="FIELD=X", help="Remove an element from a set.")
    ] = None,
    clear: Annotated[
        list[str] | None, typer.Option("--clear", metavar="FIELD", help="Empty a set, reset a counter, drop a value.")
    ] = None,
    zone: ZoneOption = None,
    country: CountryOption = None,
    region: RegionOption = None,
    config: ConfigOption = DEFAULT_CONFIGURATION,
    as_json: JsonOption = False,
) -> None:
    """Change some fields of a record by operations that merge, as one write.

    For example: [bold]atoll update cities Köln --country DE 'motto=Kölle alaaf'[/], or
    [bold]atoll update cities Köln --country DE --increment visits=1 --add tags=carnival[/]
    """
    from atoll.cli.ring_access import connected, running_topology

    operations = _operations(assignments or [], increment or [], add or [], remove or [], clear or [])
    if not operations:
        raise InvalidValue("nothing to change: give FIELD=VALUE, --increment, --add, --remove or --clear")
    topology = running_topology(config)

    async def write() -> None:
        async with connected(topology, region) as client:
            await client.update(collection, key, *operations, zone=zone, country=country)

    run(write())
    _written(as_json)


def delete(
    collection: CollectionArgument,
    key: KeyArgument,
    zone: ZoneOption = None,
    country: CountryOption = None,
    region: RegionOption = None,
    config: ConfigOption = DEFAULT_CONFIGURATION,
    as_json: JsonOption = False,
) -> None:
    """Remove a record as this region has seen it; a concurrent write elsewhere survives."""
    from atoll.cli.ring_access import connected, running_topology

    topology = running_topology(config)

    async def write() -> None:
        async with connected(topology, region) as client:
            await client.delete(collection, key, zone=zone, country=country)

    run(write())
    _written(as_json)


def where(
    collection: CollectionArgument,
    key: KeyArgument,
    zone: ZoneOption = None,
    country: CountryOption = None,
    config: ConfigOption = DEFAULT_CONFIGURATION,
    as_json: JsonOption = False,
) -> None:
    """Tell which shard of which region keeps a record, whether it exists or not."""
    from atoll.cli.ring_access import running_topology
    from atoll.operating.access import RingAccess

    topology = running_topology(config)

    async def locate() -> Mapping[RegionName, Location]:
        async with RingAccess(topology) as access:
            return await access.locate_everywhere(collection, key, access.zone(collection, zone, country))

    found = run(locate())
    if as_json:
        print_json(found)
        return
    zone_name, homes = next((location.zone, location.regions) for location in found.values())
    answers.print(f"zone [bold]{escape(zone_name)}[/], home {homes[0]}, may live in {', '.join(homes)}")
    table = plain_table("region", "shard", "epoch")
    for name, location in found.items():
        table.add_row(name, location.shard or "[dim]never here[/]", str(location.epoch or ""))
    answers.print(table)


def _operations(
    assignments: Sequence[str],
    increments: Sequence[str],
    additions: Sequence[str],
    removals: Sequence[str],
    clears: Sequence[str],
) -> list[FieldOperation]:
    """One write's operations, in the order: clear, set, increment, remove, add."""
    operations: list[FieldOperation] = [Clear(field) for field in clears]
    operations += [Set(field, value) for field, value in parse_assignments(assignments).items()]
    operations += [Increment(f, parse_amount(amount)) for f, amount in map(split_assignment, increments)]
    operations += [Remove(f, (parse_value(element),)) for f, element in map(split_assignment, removals)]
    operations += [Add(f, (parse_value(element),)) for f, element in map(split_assignment, additions)]
    return operations


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, set | frozenset | list | tuple):
        return ", ".join(sorted(map(str, value)) if isinstance(value, set | frozenset) else map(str, value))
    return str(value)


def _written(as_json: bool) -> None:
    if as_json:
        print_json({"written": True})
    else:
        answers.print("written")
