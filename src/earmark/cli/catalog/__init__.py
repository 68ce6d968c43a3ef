"""`earmark catalog`: one module for each command, imported when it is called."""

import click

from earmark.cli.lazy_group import LazyGroup

__all__ = ["catalog"]

_HERE = "earmark.cli.catalog"

# Name -> module that has a command of that name; in the order in which a catalog meets them.
_COMMANDS = {
    "build": f"{_HERE}.build",
    "add": f"{_HERE}.add",
    "remove": f"{_HERE}.remove",
    "update": f"{_HERE}.update",
    "compact": f"{_HERE}.compact",
    "info": f"{_HERE}.info",
    "list": f"{_HERE}.list_command",
    "export": f"{_HERE}.export",
    "check": f"{_HERE}.check",
    "duplicates": f"{_HERE}.duplicates",
    "merge": f"{_HERE}.merge",
    "pack": "earmark.cli.packs",
    "unpack": "earmark.cli.packs",
}


@click.group(cls=LazyGroup, modules=_COMMANDS)
def catalog() -> None:
    """Make and change catalogs: the recordings that scans look for.

    Every change is whole or not there at all, whenever it is stopped; one process changes a catalog at a time, and any
    number may read it meanwhile.

    \b
    Example:
      earmark catalog build my.catalog ~/music --metadata tracks.csv
      earmark catalog info my.catalog
    """  # noqa: D301 - click reads the \b
