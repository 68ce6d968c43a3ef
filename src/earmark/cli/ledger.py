"""`earmark ledger`."""

import functools
from decimal import Decimal, InvalidOperation
from pathlib import Path

import click

__all__ = ["ledger"]


class _Amount(click.ParamType[Decimal]):
    """An amount of money: digits, with a point."""

    name = "amount"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        try:
            return Decimal(str(value))
        except InvalidOperation:
            self.fail(f"{value!r} is no amount; expected digits with a point, such as 10000.00", param, ctx)


@click.command()
@click.argument("scan_dirs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="SCAN_DIR...")
@click.option(
    "--by",
    type=click.Choice(["recording", "rightsholder", "label", "grant", "territory"]),
    default="recording",
    show_default=True,
    help="What to sum up by.",
)
@click.option(
    "--overlaps",
    type=click.Choice(["split", "once"]),
    default="split",
    show_default=True,
    help="Seconds that several matches claim: in equal parts, or once, to the match with the best odds.",
)
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice(["licensed", "unlicensed", "review"]),
    help="Count such matches only; may be given again [default: all].",
)
@click.option(
    "--registry",
    type=click.Path(path_type=Path),
    help="Registry that knows who holds which share of a recording [default: the catalog's rights holder holds all].",
)
@click.option("--pool", type=_Amount(), help="Money to share out in proportion to the seconds that are licensed.")
@click.option(
    "--pay",
    "paid",
    multiple=True,
    type=click.Choice(["licensed", "unlicensed", "review"]),
    default=("licensed",),
    show_default=True,
    help="Share the pool out for seconds of this status instead; may be given again.",
)
@click.option("--currency", default="EUR", show_default=True, help="Of the pool, as in ISO 4217.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="File to write: .csv, .parquet or .xlsx.")
def ledger(
    *,
    scan_dirs: tuple[Path, ...],
    by: str,
    overlaps: str,
    statuses: tuple[str, ...],
    registry: Path | None,
    pool: Decimal | None,
    paid: tuple[str, ...],
    currency: str,
    out: Path,
) -> None:
    """Sum up the matched seconds of scans, and share out a pool of money.

    Every second counts once. Licensed, unlicensed and doubtful seconds are on lines of their own; money is for the
    licensed ones, unless --pay says otherwise. The lines sum to the whole in seconds, shares and amounts, to the last
    digit: what rounding leaves over goes to the lines that lost the most by it.

    \b
    Example:
      earmark ledger scan1 --by rightsholder --pool 10000.00 --currency EUR --out ledger.xlsx
    """  # noqa: D301 - click reads the \b
    from earmark.cli.text import counted
    from earmark.report.ledger import catalog_holders, make_ledger
    from earmark.report.ledger_table import write_ledger
    from earmark.report.tables import format_of
    from earmark.rights import holders_of, read_registry

    kind = format_of(out)
    made = make_ledger(
        scan_dirs,
        by=by,
        overlaps=overlaps,
        statuses=frozenset(statuses) or None,
        pool=pool,
        paid=frozenset(paid),
        currency=currency,
        holders_of=catalog_holders if registry is None else functools.partial(holders_of, read_registry(registry)),
    )
    write_ledger(made, out, kind)
    money = "" if made.pool is None else f", of which {made.paid_seconds} s share {made.pool} {made.currency}"
    click.echo(
        f"{out}: {counted(len(made.lines), 'line')}; {made.matches:,} match{'' if made.matches == 1 else 'es'} in "
        f"{counted(made.items, 'item')}, {made.seconds} s{money}"
    )
