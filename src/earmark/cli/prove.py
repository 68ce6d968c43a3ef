"""`earmark prove`."""

from pathlib import Path

import click

__all__ = ["prove"]


@click.command()
@click.argument("scan_dir", type=click.Path(path_type=Path))
@click.argument("item", required=False)
@click.option(
    "--since", type=click.Path(path_type=Path), help="Prove instead that the log keeps what this attestation signed."
)
@click.option("--out", type=click.Path(path_type=Path), help="File to write to [default: stdout].")
def prove(*, scan_dir: Path, item: str | None, since: Path | None, out: Path | None) -> None:
    """Prove what the scan of SCAN_DIR says of ITEM, without showing anything of other items.

    The proof is a JSON file that `earmark verify` checks by itself. It holds the item's lines, their place in the
    log, and the attestation, if there is one.

    \b
    Example:
      earmark prove scan1 "album/01 intro.mp3" --out proof.json
      earmark verify proof.json --public-key my.key.pub
    """  # noqa: D301 - click reads the \b
    from earmark.audit import prove_consistency, prove_item, read_attestation

    if (item is None) == (since is None):
        raise click.UsageError("expected either an ITEM or --since")
    if since is not None:
        data = prove_consistency(scan_dir, read_attestation(since))
    else:
        data = prove_item(scan_dir, str(item))
    if out is None:
        click.echo(data, nl=False)
    else:
        out.write_bytes(data)
