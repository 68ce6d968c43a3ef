"""Options that say how a corpus is to be read, shared by the commands that read one."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click

from earmark.corpus.options import FORMATS, CorpusOptions

__all__ = ["reading_options"]

_Command = TypeVar("_Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--format", "format_", type=click.Choice(FORMATS), help="What CORPUS is, if not recognised."),
    click.option("--audio-column", multiple=True, metavar="NAME", help="Column of a table with audio; may come again."),
    click.option("--path-column", metavar="NAME", help="Column of a manifest with the paths."),
    click.option("--offset-column", metavar="NAME", help="Column with the seconds at which a stretch starts."),
    click.option("--duration-column", metavar="NAME", help="Column with its length in seconds."),
    click.option("--allow-http", is_flag=True, help="Open http and https addresses too."),
)


def reading_options(command: _Command) -> _Command:
    """Give a command the options that say how to read a corpus, as one argument `reading`."""

    @functools.wraps(command)
    def with_reading(*args: Any, **options: Any) -> Any:  # noqa: ANN401 - click's own
        reading = CorpusOptions(
            format=options.pop("format_"),
            audio_columns=tuple(options.pop("audio_column")),
            path_column=options.pop("path_column"),
            offset_column=options.pop("offset_column"),
            duration_column=options.pop("duration_column"),
            allow_http=options.pop("allow_http"),
        )
        return command(*args, reading=reading, **options)

    wrapped: Any = with_reading
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[no-any-return]
