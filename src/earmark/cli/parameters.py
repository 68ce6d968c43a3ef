"""Types of option values that click does not have."""

import re
from pathlib import Path
from typing import Any

import click

from earmark.errors import ParameterError

__all__ = ["ShardText", "Size", "load_config"]

_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([kmgt]?)i?b?", re.ASCII | re.IGNORECASE)
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


class Size(click.ParamType[int]):
    """A number of bytes, such as 512M or 2G; the units are powers of 1024."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the bytes, or fail."""
        found = _SIZE.fullmatch(str(value))
        if found is None:
            self.fail(f"{value!r} is no size; expected a number of bytes, such as 512M or 2G", param, ctx)
        return int(float(found[1]) * _UNITS[found[2].lower()])


class ShardText(click.ParamType["Any"]):
    """A part of a corpus, as I/N."""

    name = "shard"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:
        """Return the shard, or fail."""
        from earmark.scan import Shard, parse_shard

        if isinstance(value, Shard):
            return value
        try:
            return parse_shard(str(value))
        except ParameterError as error:
            self.fail(str(error), param, ctx)


def load_config(ctx: click.Context, param: click.Parameter, path: Path | None) -> None:  # noqa: ARG001 - click's
    """Take the values of a TOML file as defaults of a command; the callback of its `--config`.

    Keys are the names of the command's options without the dashes before them, and of its arguments. What stands on
    the command line goes first. Paths are relative to the working directory, as on the command line.

    Raises
    ------
    click.UsageError
        If the file cannot be read, or a key or value is none of the command's; the message names file and key.
    """
    import tomllib

    if path is None:
        return
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise click.UsageError(f"{path}: {error.strerror or error}", ctx) from error
    except ValueError as error:  # TOML and UTF-8 alike
        raise click.UsageError(f"{path}: {error}", ctx) from error
    known = {_key(each): each for each in ctx.command.params if each.expose_value}
    defaults: dict[str, Any] = {}
    for key, value in values.items():
        target = known.get(key.replace("_", "-"))
        if target is None:
            raise click.UsageError(f"{path}: unknown key {key!r}; expected any of {', '.join(known)}", ctx)
        if isinstance(target, click.Option) and target.multiple and isinstance(value, str):
            value = [value]  # noqa: PLW2901 - one is a list of one
        _check(target, value, ctx, f"{path}: {key}")
        defaults[str(target.name)] = value
    ctx.default_map = {**(ctx.default_map or {}), **defaults}


def _key(param: click.Parameter) -> str:
    """Return what an option or argument is called in a file."""
    return max(param.opts, key=len).lstrip("-").lower().replace("_", "-")


def _check(param: click.Parameter, value: object, ctx: click.Context, where: str) -> None:
    is_flag = isinstance(param, click.Option) and param.is_flag
    if is_flag != isinstance(value, bool):
        raise click.UsageError(f"{where}: expected {'true or false' if is_flag else 'a value'}, got {value!r}", ctx)
    several = isinstance(param, click.Option) and param.multiple
    if several != isinstance(value, list):
        raise click.UsageError(f"{where}: expected {'a list' if several else 'one value'}, got {value!r}", ctx)
    try:
        param.type_cast_value(ctx, value)
    except click.BadParameter as error:
        raise click.UsageError(f"{where}: {error.message}", ctx) from error
