"""``drill``: practise a partition on a running ring."""

from __future__ import annotations

from typing import Annotated

import typer

from atoll.cli.options import DEFAULT_CONFIGURATION, ConfigOption, JsonOption
from atoll.cli.output import answers, print_json, run

app = typer.Typer(
    help="Practise a partition: a region plays dead to the others, both ways, until it is healed or restarted.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)


@app.command()
def cut(
    region: Annotated[str, typer.Argument(help="The region to cut off.", show_default=False)],
    other: Annotated[
        list[str] | None, typer.Option("--from", metavar="REGION", help="Only from this one; may be repeated.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIGURATION,
    as_json: JsonOption = False,
) -> None:
    """Cut a region off from the others. It goes on serving its own clients, and so do they."""
    from atoll.cli.ring_access import running_topology
    from atoll.operating.access import RingAccess

    topology = running_topology(config)

    async def play_dead() -> tuple[str, list[str]]:
        async with RingAccess(topology) as access:
            name = access.region(region)
            others = [access.region(each) for each in other] if other else list(topology.peers(name))
            await access.drill(name, others)
            return name, [str(each) for each in others]

    name, others = run(play_dead())
    if as_json:
        print_json({"region": name, "cut_off_from": others})
    else:
        answers.print(f"{name} plays dead to {', '.join(others)}; [bold]atoll drill heal[/] ends it")


@app.command()
def heal(
    region: Annotated[
        str | None, typer.Argument(help="The region; all of them by default.", show_default=False)
    ] = None,
    config: ConfigOption = DEFAULT_CONFIGURATION,
    as_json: JsonOption = False,
) -> None:
    """End the drill: the regions find each other again."""
    from atoll.cli.ring_access import running_topology
    from atoll.operating.access import RingAccess

    topology = running_topology(config)

    async def restore() -> list[str]:
        async with RingAccess(topology) as access:
            regions = list(topology.regions) if region is None else [access.region(region)]
            views = (await access.overview()).nodes
            cut = {view.region for view in views if view.status is not None and view.status.cut_off_from}
            for name in regions:
                await access.drill(name, [])
            return [str(name) for name in regions if name in cut]

    regions = run(restore())
    if as_json:
        print_json({"healed": regions})
    elif regions:
        answers.print(f"healed: {', '.join(regions)}")
    else:
        answers.print("nothing was cut")
