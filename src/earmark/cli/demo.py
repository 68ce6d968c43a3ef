"""`earmark demo`."""

import csv
import itertools
import shlex
import shutil
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from earmark.errors import EarmarkError

if TYPE_CHECKING:
    from earmark.cli.bundled import Bundle
    from earmark.scan import ScanPlan

__all__ = ["demo", "make_rights"]

_DEFAULT_OUT = "earmark-demo"
_METADATA_COLUMNS = ("path", "track_id", "isrc", "title", "artist", "label", "rightsholder")
_DAY, _LATER = date(2026, 11, 1), date(2027, 1, 1)  # before and after the demo's license ends
_EXPLAINED = "covered/white-noise.mp3"
_REGISTRY = "rights.registry"
_WRONG = 1


@click.command()
@click.option("--out", type=click.Path(path_type=Path), help=f"New or empty folder [default: ./{_DEFAULT_OUT}].")
@click.option("--jobs", type=click.IntRange(min=1), help="Worker processes [default: one a processor].")
@click.pass_context
def demo(ctx: click.Context, *, out: Path | None, jobs: int | None) -> None:
    """Do the main job on bundled real music, offline.

    Builds a catalog of nine tracks, makes a small corpus with real encoders, imports a DDEX message, grants and a
    reservation into a license registry, scans the corpus for an AI firm that has a license for some of the music, and
    compares the result with what was planted. Exits with 1 if anything was missed or claimed falsely.

    \b
    Example:
      earmark demo --out /tmp/demo
    """  # noqa: D301 - click reads the \b
    from earmark.audit import logged
    from earmark.cli.bundled import open_bundle
    from earmark.cli.exit_codes import exit_code
    from earmark.cli.planting import LICENSEE, differences, plant
    from earmark.cli.progress import scan_progress
    from earmark.cli.table import print_result, stdout_console
    from earmark.report import read_items, read_matches, write_parquet
    from earmark.rights import Use
    from earmark.scan import ScanPlan, scan, stop_on_signals

    quiet = ctx.obj["quiet"]
    bundle, folder = open_bundle(), _make_folder(out)
    _notice("building a catalog of the nine bundled tracks", quiet=quiet)
    _build_catalog(folder, bundle, jobs)
    _notice("making a corpus: encoding, cutting, resampling, adding noise and speech", quiet=quiet)
    planted = plant(folder / "corpus", bundle)
    _notice("importing a DDEX message, grants and a reservation into a registry", quiet=quiet)
    make_rights(folder, bundle)
    plan = ScanPlan(
        corpus=folder / "corpus",
        catalog=folder / "music.catalog",
        out=folder / "scan",
        registry=folder / _REGISTRY,
        use=Use(licensee=LICENSEE, scope="ai_training", territory="US", as_of=_DAY),
        jobs=jobs,
    )
    _notice("scanning it", quiet=quiet)
    with stop_on_signals() as stop, logged(plan.out), scan_progress(plan.corpus, wanted=not quiet) as on_item:
        summary = scan(plan, stop=stop, on_item=on_item)
        if summary.complete:
            write_parquet(plan.out)
    print_result(stdout_console(), summary, plan.out)
    if not summary.complete:
        ctx.exit(exit_code(summary, None))
    wrong = differences(planted, read_items(plan.out), read_matches(plan.out))
    for words in wrong:
        click.echo(f"WRONG: {words}")
    if wrong:
        ctx.exit(_WRONG)
    n_planted = sum(len(one.plantings) for one in planted)
    click.echo(f"Checked against what was planted: {n_planted} of {n_planted} stretches found, nothing else claimed.")
    click.echo(_next_steps(plan, folder))


def _notice(words: str, *, quiet: bool) -> None:
    if not quiet:
        click.echo(f"earmark: {words}", err=True)


def _make_folder(out: Path | None) -> Path:
    """Make the folder of the demo: the one asked for, or the first default name that is free."""
    if out is None:
        names = itertools.chain([_DEFAULT_OUT], (f"{_DEFAULT_OUT}-{n}" for n in itertools.count(2)))
        out = next(Path(name) for name in names if not Path(name).exists())
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise EarmarkError(f"--out {str(out)!r} is not an empty folder; expected a new or an empty one")
    out.mkdir(parents=True, exist_ok=True)
    return out


def _build_catalog(folder: Path, bundle: "Bundle", jobs: int | None) -> None:
    """Copy the tracks of the catalog with their metadata, and build it as a user would."""
    from earmark.catalog import build_catalog
    from earmark.fingerprint import load_model
    from earmark.scan.plan import available_processors

    music = folder / "music"
    music.mkdir()
    tracks = [track for track in bundle.tracks.values() if track.in_catalog]
    with (folder / "tracks.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, _METADATA_COLUMNS, extrasaction="ignore")
        table.writeheader()
        for track in tracks:
            shutil.copy(track.path, music / track.path.name)
            table.writerow({**track.row, "path": f"music/{track.path.name}"})
    report = build_catalog(
        folder / "music.catalog",
        [music],
        metadata=folder / "tracks.csv",
        model=load_model(),
        jobs=jobs or available_processors(),
    )
    if report.n_indexed != len(tracks):
        raise EarmarkError(f"the catalog should hold {len(tracks)} tracks, got {report.n_indexed}: {report.failed}")


def make_rights(folder: Path, bundle: "Bundle") -> None:
    """Import the bundled rights into `rights.registry`, as a user would.

    Parameters
    ----------
    folder
        Where to; copies of the files go beside it.
    bundle
        The bundled files.

    Raises
    ------
    EarmarkError
        If anything of them is refused.
    """
    from earmark.rights.importing import ImportOptions, import_files
    from earmark.rights.use_types import read_use_types

    sources = folder / "rights"
    sources.mkdir()
    files = [shutil.copy(path, sources) for path in (*bundle.rights, bundle.use_types)][:-1]
    options = ImportOptions(strict=True, use_types=read_use_types(bundle.use_types))
    import_files(folder / _REGISTRY, files, options)


def _next_steps(plan: "ScanPlan", folder: Path) -> str:
    """Return what to type next, ready for a shell."""
    program = shlex.quote(_program())
    paths = {
        name: shlex.quote(str(folder / name)) for name in ("corpus", "music.catalog", _REGISTRY, "scan", "scan-2027")
    }
    return f"""
What to type next:

  # the whole story of one item
  {program} explain {paths["scan"]} {_EXPLAINED}

  # the same corpus on the day after the license has ended
  {program} scan {paths["corpus"]} --catalog {paths["music.catalog"]} --out {paths["scan-2027"]} \\
    --registry {paths[_REGISTRY]} --licensee {shlex.quote(str(plan.use.licensee))} --use {plan.use.scope} \\
    --territory {plan.use.territory} --as-of {_LATER}

  # what the registry holds, and what it says of one track
  {program} license export {paths[_REGISTRY]}
  {program} license check {paths[_REGISTRY]} --track-id dst-azum --licensee {shlex.quote(str(plan.use.licensee))} \\
    --use {plan.use.scope} --territory {plan.use.territory} --as-of {plan.use.as_of}

  # what the catalog holds
  {program} catalog info {paths["music.catalog"]}

  # your own: a catalog of your music, and a folder to look for it in
  {program} catalog build my.catalog ~/Music
  {program} scan ~/corpus --catalog my.catalog --out my-scan"""


def _program() -> str:
    """Return how to call this program from here: by its name if that leads to it, else by its path."""
    called = Path(sys.argv[0])
    by_name = shutil.which("earmark")
    if by_name is not None and called.exists() and Path(by_name).samefile(called):
        return "earmark"
    if called.name == "earmark" and called.exists():
        return str(called)
    beside = Path(sys.executable).with_name("earmark")
    return str(beside) if beside.exists() else "earmark"
