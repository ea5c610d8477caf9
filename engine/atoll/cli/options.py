"""Options that many commands share, so that they read and behave the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_CONFIGURATION = Path("atoll.toml")

ConfigOption = Annotated[
    Path,
    typer.Option(
        "--config",
        "-c",
        envvar="ATOLL_CONFIG",
        metavar="FILE",
        help="The ring's configuration. What runs is kept in [bold].atoll/[/] beside it.",
    ),
]

JsonOption = Annotated[
    bool, typer.Option("--json", help="Answer with one JSON value, errors included.", show_default=False)
]

RegionOption = Annotated[
    str | None,
    typer.Option(
        "--region", "-r", metavar="NAME", help="The region to ask. Default: the first of the configuration."
    ),
]

ZoneOption = Annotated[str | None, typer.Option("--zone", "-z", metavar="NAME", help="The record's zone.")]

CountryOption = Annotated[
    str | None,
    typer.Option("--country", metavar="CODE", help="The record's zone by ISO country code, such as [bold]DE[/]."),
]

CollectionArgument = Annotated[str, typer.Argument(help="A collection of the configuration.", show_default=False)]

KeyArgument = Annotated[str, typer.Argument(help="The record's key.", show_default=False)]
