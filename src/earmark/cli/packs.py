"""`earmark catalog pack` and `unpack`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from earmark.cli.catalog.progress import catalog_progress
from earmark.cli.text import counted, displayed
from earmark.fingerprint import load_model

if TYPE_CHECKING:
    from earmark.exchange.pack_file import Header

__all__ = ["pack", "unpack"]


@click.command()
@click.argument("catalog", type=click.Path(path_type=Path))
@click.argument("out", metavar="OUT.earpack", type=click.Path(path_type=Path))
@click.option("--label", "labels", multiple=True, help="Only tracks of this label; may come several times.")
@click.option(
    "--column",
    "columns",
    multiple=True,
    help="Column of the track table to hand out, besides track_id [default: isrc, title, artist, label, rightsholder].",
)
@click.option("--since", type=click.Path(path_type=Path), help="Only what has changed since an earlier pack or state.")
@click.option("--sign", "key", metavar="KEY", type=click.Path(path_type=Path), help="File of the key to sign with.")
@click.option(
    "--recipient", "recipients", metavar="KEY", multiple=True, help="Public key (age1...), or a file of them."
)
@click.option(
    "--identity", type=click.Path(path_type=Path), help="File of the private key that opens --since, if encrypted."
)
@click.pass_context
def pack(
    ctx: click.Context,
    *,
    catalog: Path,
    out: Path,
    labels: tuple[str, ...],
    columns: tuple[str, ...],
    since: Path | None,
    key: Path | None,
    recipients: tuple[str, ...],
    identity: Path | None,
) -> None:
    """Write fingerprints and track table of CATALOG into one file, without any audio, for somebody else.

    Each recipient can open it alone, and nobody else; without any, everybody can. --since takes an earlier pack, the
    folder of a scan with kept fingerprints, or an older copy of the catalog; `unpack` then needs a catalog in that
    state. What a pack tells whoever can open it is in docs/packs.md.

    \b
    Example:
      earmark catalog pack my.catalog all.earpack --sign my.key --recipient age.pub
      earmark catalog pack my.catalog tuesday.earpack --since all.earpack --identity age.key --sign my.key
    """  # noqa: D301 - click reads the \b
    from earmark.exchange import pack as write_pack
    from earmark.exchange import read_any_state, read_identities, read_recipients
    from earmark.exchange.contents import DEFAULT_COLUMNS, check_columns

    model, chosen = load_model(), check_columns(columns or DEFAULT_COLUMNS)
    identities = [] if identity is None else read_identities(identity)
    base = None if since is None else read_any_state(since, model, columns=chosen, identities=identities)
    with catalog_progress("packing", wanted=not ctx.obj["quiet"]) as on_progress:
        report = write_pack(
            catalog,
            out,
            model=model,
            columns=chosen,
            labels=labels or None,
            since=base,
            key=key,
            recipients=[recipient for text in recipients for recipient in read_recipients(text)],
            on_progress=on_progress,
        )
    click.echo(f"pack       {displayed(str(out))}, {report.n_bytes / 1e6:.2f} MB")
    click.echo(_about(report.header, report.signer))


@click.command()
@click.argument("file", metavar="PACK", type=click.Path(path_type=Path))
@click.argument("catalog", required=False, type=click.Path(path_type=Path))
@click.option("--public-key", type=click.Path(path_type=Path), help="File of the key that must have signed it.")
@click.option("--identity", type=click.Path(path_type=Path), help="File of your private key, if it is encrypted.")
@click.pass_context
def unpack(
    ctx: click.Context, *, file: Path, catalog: Path | None, public_key: Path | None, identity: Path | None
) -> None:
    """Take PACK into CATALOG, a new one or one that is there; without CATALOG, only verify it and say what it is.

    It is verified to its last byte before anything is written, and the catalog changes at once or not at all. Track ids
    that stand for something else in CATALOG are an error. A pack of changes needs the state that it was made for.

    \b
    Example:
      earmark catalog unpack all.earpack their.catalog --public-key their.key.pub --identity age.key
      earmark catalog unpack all.earpack --public-key their.key.pub --identity age.key
    """  # noqa: D301 - click reads the \b
    from earmark.exchange import check, read_identities
    from earmark.exchange import unpack as read_pack

    identities = [] if identity is None else read_identities(identity)
    if catalog is None:
        with catalog_progress("verifying", wanted=not ctx.obj["quiet"]) as on_progress:
            verified = check(file, public_key=public_key, identities=identities, on_progress=on_progress)
        click.echo(_about(verified.header, verified.signer, known=public_key is not None))
        return
    with catalog_progress("unpacking", wanted=not ctx.obj["quiet"]) as on_progress:
        report = read_pack(
            file, catalog, model=load_model(), public_key=public_key, identities=identities, on_progress=on_progress
        )
    click.echo(_about(report.header, report.signer, known=public_key is not None))
    click.echo(
        f"{counted(report.n_added, 'track')} added to {displayed(str(catalog))}, {report.n_corrected:,} corrected, "
        f"{report.n_removed:,} removed or replaced, {report.n_present:,} there already"
    )


def _about(header: "Header", signer: str | None, *, known: bool = True) -> str:
    """Say what a pack is, in words."""
    whole = f"{counted(header.tracks, 'track')}, {header.duration_s / 3600:.2f} h"
    changes = f"{header.added:,} new, {header.corrected:,} with other tags, {header.gone:,} gone or replaced"
    lines = [
        f"tracks     {whole if header.base is None else f'{changes}; {header.tracks:,} in all'}",
        f"columns    track_id, {', '.join(header.columns)}" if header.columns else "columns    track_id",
        f"model      {header.model_digest}",
        f"state      {header.state}",
    ]
    if header.labels is not None:
        lines.insert(1, f"labels     {displayed(', '.join(header.labels))}")
    if header.base is not None:
        lines.append(f"since      {header.base}")
    if signer is None:
        lines.append("signed by  nobody: anyone can have made it")
    else:
        lines.append(f"signed by  {signer}{'' if known else ' (compare with what you were told by another way)'}")
    return "\n".join(lines)
