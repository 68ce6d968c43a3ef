"""A group of commands, each in a module that is imported when the command is called."""

import importlib
from collections.abc import Mapping
from typing import Any

import click

__all__ = ["LazyGroup"]


class LazyGroup(click.Group):
    """A group that loads a command's module when the command is asked for.

    Parameters
    ----------
    modules : mapping of str to str
        Name of a command -> module that has it, under that name with _ for -; in the order of the help.
    attrs
        As for `click.Group`.
    """

    def __init__(self, *, modules: Mapping[str, str], **attrs: Any) -> None:  # noqa: ANN401 - click's
        super().__init__(**attrs)
        self._modules = modules

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names of the commands."""
        return list(self._modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return a command, None if there is none of that name."""
        module = self._modules.get(cmd_name)
        if module is None:
            return None
        command: click.Command = getattr(importlib.import_module(module), cmd_name.replace("-", "_"))
        return command
