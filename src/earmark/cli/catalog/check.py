"""`earmark catalog check`."""

from pathlib import Path

import click

from earmark.catalog import CatalogCheck, check_catalog, count_sound_tracks, salvage_catalog
from earmark.cli.catalog.progress import catalog_progress
from earmark.cli.exit_codes import FINDINGS
from earmark.cli.text import counted, displayed
from earmark.errors import CatalogError
from earmark.fingerprint import Model, load_model

__all__ = ["check"]


@click.command()
@click.argument("path", metavar="CATALOG", type=click.Path(path_type=Path))
@click.option("--salvage", metavar="OUT", type=click.Path(path_type=Path), help="Make a new catalog of what is sound.")
@click.option("--jobs", type=click.IntRange(min=1), help="Files read at a time [default: one a processor].")
@click.pass_context
def check(ctx: click.Context, *, path: Path, salvage: Path | None, jobs: int | None) -> None:
    """Read all of CATALOG and check every digest, every block, and that its files fit each other.

    Names the damaged files, and how many tracks can be saved; with --salvage they are, to a new catalog, and those that
    are lost are named. Exits with 1 if there is damage.

    \b
    Example:
      earmark catalog check my.catalog
      earmark catalog check my.catalog --salvage saved.catalog
    """  # noqa: D301 - click reads the \b
    from earmark.scan.plan import available_processors

    model, quiet = load_model(), ctx.obj["quiet"]
    with catalog_progress("checking", wanted=not quiet) as on_progress:
        found = check_catalog(path, model=model, jobs=jobs or available_processors(), on_progress=on_progress)
    for note in () if quiet else found.notes:
        click.echo(f"earmark: note: {displayed(note)}", err=True)
    for file, wrong in found.damage:
        click.echo(f"damaged: {displayed(str(path))}/{file}: {displayed(wrong)}")
    click.echo(_in_words(found, path))
    if not found.damage:
        return
    if salvage is not None:
        with catalog_progress("salvaging", wanted=not quiet) as on_progress:
            saved = salvage_catalog(path, salvage, model=model, on_progress=on_progress)
        for track_id, why in saved.lost:
            click.echo(f"lost: {displayed(track_id)}: {displayed(why)}")
        click.echo(f"{counted(saved.n_tracks, 'track')} saved to {displayed(str(salvage))}, {len(saved.lost):,} lost")
    else:
        click.echo(_offer(path, found, model))
    ctx.exit(FINDINGS)


def _in_words(found: CatalogCheck, path: Path) -> str:
    verdict = f"{counted(len(found.damage), 'problem')}" if found.damage else "sound"
    return (
        f"{displayed(str(path))}: {verdict}; {counted(found.n_tracks, 'track')} in "
        f"{counted(found.n_segments, 'segment')}, {found.n_bytes / 1e6:.2f} MB read"
    )


def _offer(path: Path, found: CatalogCheck, model: Model) -> str:
    try:
        n_sound = count_sound_tracks(path, model=model)
    except CatalogError as error:
        return f"nothing can be saved: {displayed(str(error))}"
    if not n_sound:
        return "nothing can be saved"
    return (
        f"{n_sound:,} of {counted(found.n_tracks, 'track')} can be saved: "
        f"earmark catalog check {displayed(str(path))} --salvage OUT"
    )
