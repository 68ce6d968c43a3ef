"""The options that say what somebody wants to do: shared by the commands that decide about it."""

import re
from collections.abc import Callable
from datetime import date, datetime
from fractions import Fraction
from typing import Any, TypeVar

import click

from earmark.errors import ParameterError
from earmark.rights import SCOPES, Use, parse_share

__all__ = ["Day", "Share", "takes_use"]

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_Command = TypeVar("_Command", bound=Callable[..., Any])


class Day(click.ParamType[date]):
    """A day, as YYYY-MM-DD and in no other form."""

    name = "date"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Read it, or end with click's words."""
        if isinstance(value, date) and not isinstance(value, datetime):
            return value
        try:
            if not _DATE.fullmatch(str(value)):
                raise ValueError("of another form")
            return date.fromisoformat(str(value))
        except ValueError as error:
            self.fail(f"{value!r} is no day; expected YYYY-MM-DD ({error})", param, ctx)


class Share(click.ParamType[Fraction]):
    """A share, as a percentage or a fraction."""

    name = "share"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Fraction:
        """Read it, or end with click's words."""
        if isinstance(value, Fraction):
            return value
        try:
            return parse_share(str(value).strip())
        except ParameterError as error:
            self.fail(str(error), param, ctx)


def takes_use(command: _Command) -> _Command:
    """Give a command the options of a use, and pass it one `use` in their place."""

    def with_use(**values: Any) -> Any:  # noqa: ANN401 - whatever the command takes and returns
        use = Use(
            licensee=values.pop("licensee"),
            scope=values.pop("scope"),
            territory=values.pop("territory"),
            as_of=values.pop("as_of"),
            product=values.pop("product"),
            sufficient_share=values.pop("sufficient_share"),
        )
        return command(**values, use=use)

    with_use.__doc__, with_use.__name__ = command.__doc__, command.__name__
    with_use.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    for decorate in reversed(
        (
            click.option("--licensee", help="Who wants to use the recordings."),
            click.option("--use", "scope", type=click.Choice(SCOPES), help="What for."),
            click.option("--product", help="For which model or product."),
            click.option("--territory", help="In which country, as two letters (ISO 3166)."),
            click.option("--as-of", type=Day(), metavar="YYYY-MM-DD", help="On which day the corpus was acquired."),
            click.option(
                "--sufficient-share",
                type=Share(),
                metavar="PERCENT",
                help="Share of split rights that suffices [default: all].",
            ),
        )
    ):
        with_use = decorate(with_use)
    return with_use  # type: ignore[return-value]
