"""`earmark report`."""

from pathlib import Path

import click

__all__ = ["report"]

# As `earmark.report.formats.REPORT_FORMATS`, which a help text is not worth importing for.
_FORMATS = ("csv", "parquet", "xlsx", "croissant", "eu-summary", "html", "sarif")


@click.command()
@click.argument("scan_dir", type=click.Path(path_type=Path))
@click.option("--format", "kind", required=True, type=click.Choice(_FORMATS), help="What to write.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="File to write; replaced if it is there.")
@click.option(
    "--rows",
    type=click.Choice(["matches", "items"]),
    default="matches",
    show_default=True,
    help="Which rows a table holds; xlsx holds both.",
)
def report(*, scan_dir: Path, kind: str, out: Path, rows: str) -> None:
    """Write the result of the scan in SCAN_DIR in another form.

    csv, parquet and xlsx are tables of its rows; html is a page for people; sarif goes into tools that show findings;
    croissant describes the files as a dataset; eu-summary is a draft in Markdown of the audio parts of the EU's public
    summary of training content. In csv and xlsx, text that a spreadsheet would run as a formula gets an apostrophe.

    \b
    Example:
      earmark report scan1 --format html --out scan1.html
    """  # noqa: D301 - click reads the \b
    from earmark.report.formats import write_report

    write_report(scan_dir, out, kind, rows)
    click.echo(str(out))
