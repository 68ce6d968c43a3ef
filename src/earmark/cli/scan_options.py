"""The options of the commands that scan, with audio or without: shared by them as two arguments."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict, TypeVar

import click

from earmark.cli.exit_codes import FAIL_ON
from earmark.cli.parameters import Size

__all__ = ["SharedOptions", "scan_options"]

_Command = TypeVar("_Command", bound=Callable[..., Any])


class SharedOptions(TypedDict):
    """What plans of scans and of rescans have in common, by the names that both give it."""

    catalog: tuple[str, ...]
    out: Path
    registry: Path | None
    allow: Path | None
    ignore: Path | None
    jobs: int | None
    resume: bool


_OPTIONS = (
    click.option(
        "--catalog",
        required=True,
        multiple=True,
        metavar="PATH|URL",
        help="Catalog folder to look for; several are shards of one catalog.",
    ),
    click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write to."),
    click.option("--registry", type=click.Path(path_type=Path), help="License registry: a registry file, or CSV."),
    click.option("--allow", type=click.Path(path_type=Path), help="CSV list of cases that count as licensed."),
    click.option("--ignore", type=click.Path(path_type=Path), help="CSV list of matches and items to leave out."),
    click.option("--jobs", type=click.IntRange(min=1), help="Worker processes [default: one a processor]."),
    click.option("--resume", is_flag=True, help="Go on with what --out holds, if anything."),
    click.option("--fail-on", type=click.Choice(FAIL_ON), help="Exit with 1 on such findings."),
    click.option(
        "--timeout-per-item",
        type=click.FloatRange(min=0, min_open=True),
        metavar="SECONDS",
        help="Give an item up after so long [default: in proportion to its size and length].",
    ),
    click.option(
        "--memory-per-item", type=Size(), default="2G", show_default=True, help="Give an item up that needs more."
    ),
)


def scan_options(command: _Command) -> _Command:
    """Give a command the options of every scan, as arguments `shared`, `limits` and `fail_on`.

    Parameters
    ----------
    command
        Takes `shared`, a `SharedOptions`, `limits`, the `Limits` of an item, and `fail_on`.
    """

    @functools.wraps(command)
    def with_shared(**values: Any) -> Any:  # noqa: ANN401 - whatever the command takes and returns
        from earmark.scan import Limits

        limits = Limits(timeout_s=values.pop("timeout_per_item"), memory_bytes=values.pop("memory_per_item"))
        shared = {name: values.pop(name) for name in SharedOptions.__annotations__}
        return command(shared=shared, limits=limits, **values)

    wrapped: Any = with_shared
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[no-any-return]
