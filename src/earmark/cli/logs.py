"""What a command says on stderr: lines for people, or a JSON object a line for machines."""

import json
import logging
from datetime import UTC, datetime

import click

from earmark.cli.text import displayed

__all__ = ["LOG_FORMATS", "complain", "set_up_logging", "writes_json"]

LOG_FORMATS = ("text", "json")


class _StderrHandler(logging.Handler):
    """Writes to whatever stderr is at the moment, so that a progress bar is not torn."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(self.format(record), err=True)


class _JsonFormatter(logging.Formatter):
    """One JSON object a line: time in UTC, level, logger, message, and what `extra={"fields": {...}}` adds."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        values = {
            "time": moment.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            values["exception"] = self.formatException(record.exc_info)
        return json.dumps(values, ensure_ascii=True, default=str)


def set_up_logging(log_format: str, *, quiet: bool, verbose: int) -> None:
    """Send the library's notices to stderr.

    Parameters
    ----------
    log_format
        One of `LOG_FORMATS`. For machines progress is told too, unless `quiet`.
    quiet
        Errors only.
    verbose
        0 for warnings, 1 for news, 2 for all.
    """
    handler = _StderrHandler()
    text = logging.Formatter("earmark: %(levelname)s: %(message)s")
    handler.setFormatter(_JsonFormatter() if log_format == "json" else text)
    usual = logging.INFO if log_format == "json" else logging.WARNING
    level = logging.ERROR if quiet else max(usual - 10 * verbose, logging.DEBUG)
    ours = logging.getLogger("earmark")
    ours.handlers, ours.propagate = [handler], False
    ours.setLevel(level)


def complain(ctx: click.Context, message: str) -> None:
    """Say why a command fails, in the form that was asked for, even before logging is set up."""
    if writes_json(ctx):
        values = {"name": "earmark.cli", "levelno": logging.ERROR, "levelname": "ERROR", "msg": message}
        click.echo(_JsonFormatter().format(logging.makeLogRecord(values)), err=True)
    else:
        click.echo(f"earmark: {displayed(message)}", err=True)


def writes_json(ctx: click.Context) -> bool:
    """Return whether stderr is for machines."""
    return ctx.find_root().params.get("log_format") == "json"
