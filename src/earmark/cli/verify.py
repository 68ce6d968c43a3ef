"""`earmark verify`."""

from pathlib import Path

import click

from earmark.cli.exit_codes import FINDINGS
from earmark.cli.text import displayed

__all__ = ["verify"]


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--public-key", type=click.Path(path_type=Path), help="Key that must have signed.")
@click.option(
    "--tsa-certificate",
    type=click.Path(path_type=Path),
    help="Root certificates (PEM) of the time-stamping authority to trust.",
)
@click.pass_context
def verify(ctx: click.Context, *, path: Path, public_key: Path | None, tsa_certificate: Path | None) -> None:
    """Check that a scan's files are those that were logged and signed.

    PATH is the folder of a scan, a redacted one, or the file of a proof. Needs no network. Names the first line of
    each file that was changed, removed, added or moved, and exits with 1 then.

    \b
    Example:
      earmark verify scan1 --public-key my.key.pub
    """  # noqa: D301 - click reads the \b
    from earmark.audit import read_authorities, read_public_key
    from earmark.audit import verify as check

    found = check(
        path,
        public_key=None if public_key is None else read_public_key(public_key),
        authorities=None if tsa_certificate is None else read_authorities(tsa_certificate),
    )
    for note in found.notes:
        click.echo(displayed(note))
    for fault in found.faults:
        click.echo(f"NOT AS IT WAS: {displayed(fault)}")
    if found.faults:
        ctx.exit(FINDINGS)
    click.echo("verified")
