"""The command line: parse, one library call, print. One module for each command, imported when it is called."""

import errno
import io
import logging
import sys

import click

from earmark import __version__
from earmark.cli.exit_codes import FAILURE, INTERRUPTED
from earmark.cli.lazy_group import LazyGroup
from earmark.cli.logs import LOG_FORMATS, complain, set_up_logging, writes_json
from earmark.errors import EarmarkError

__all__ = ["main"]

logger = logging.getLogger(__name__)

# Name -> module that has a command of that name; alphabetical.
_COMMANDS = {
    "attest": "earmark.cli.attest",
    "catalog": "earmark.cli.catalog",
    "clean": "earmark.cli.clean",
    "demo": "earmark.cli.demo",
    "explain": "earmark.cli.explain",
    "keys": "earmark.cli.keys",
    "ledger": "earmark.cli.ledger",
    "license": "earmark.cli.license",
    "merge": "earmark.cli.merge",
    "prove": "earmark.cli.prove",
    "report": "earmark.cli.report",
    "rescan": "earmark.cli.rescan",
    "scan": "earmark.cli.scan",
    "verify": "earmark.cli.verify",
}


class _Earmark(LazyGroup):
    """Turns errors into one line and an exit code."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except EarmarkError as error:
            _fail(ctx, str(error))
        except KeyboardInterrupt:
            complain(ctx, "interrupted")
            ctx.exit(INTERRUPTED)
        except OSError as error:
            if error.errno == errno.EPIPE:  # who reads our output has heard enough; click ends quietly
                raise
            _fail(ctx, str(error))
        except click.ClickException as error:
            if not writes_json(ctx):
                raise
            complain(ctx, error.format_message())
            ctx.exit(error.exit_code)
        except (click.exceptions.Exit, click.Abort):
            raise
        except Exception:  # Python's own exit code would be 1, which says that there are findings
            logger.exception("this should not have happened; please report it")
            ctx.exit(FAILURE)
        return None


def _fail(ctx: click.Context, message: str) -> None:
    complain(ctx, f"error: {message}")
    ctx.exit(FAILURE)


@click.group(cls=_Earmark, modules=_COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="earmark")
@click.option("-q", "--quiet", is_flag=True, help="No progress, and no notices but errors.")
@click.option("-v", "--verbose", count=True, help="More notices; twice for all.")
@click.option("--log-format", type=click.Choice(LOG_FORMATS), default="text", help="For machines: json, a line each.")
@click.pass_context
def main(ctx: click.Context, *, quiet: bool, verbose: int, log_format: str) -> None:
    """Find a label's recordings inside audio datasets, and whether a license covers them.

    Results go to stdout, everything else to stderr. Nothing ever asks back.

    \b
    Exit codes:
      0    done, with or without findings
      1    findings, as --fail-on asks; or `verify` or `catalog check` found damage
      2    wrong usage, or failure
      3    nothing to scan, or every item failed
      4    incomplete: some items failed, or stopped by SIGTERM
      130  Ctrl-C

    \b
    Example:
      earmark demo
      earmark catalog build my.catalog ~/music --metadata tracks.csv
      earmark scan ~/corpus --catalog my.catalog --out scan1
    """  # noqa: D301 - click reads the \b
    ctx.obj = {"quiet": quiet}
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    set_up_logging(log_format, quiet=quiet, verbose=verbose)
