"""`earmark attest`."""

from pathlib import Path

import click

__all__ = ["attest"]


@click.command()
@click.argument("scan_dir", type=click.Path(path_type=Path))
@click.option("--key", type=click.Path(path_type=Path), help="Private key to sign with.")
@click.option(
    "--timestamp",
    type=click.Path(path_type=Path),
    help="Answer of a time-stamping authority (RFC 3161) over attestation.json, to keep with it.",
)
@click.option("--redacted", type=click.Path(path_type=Path), help="New folder for the other party: matched items only.")
def attest(*, scan_dir: Path, key: Path | None, timestamp: Path | None, redacted: Path | None) -> None:
    """Sign what the scan of SCAN_DIR found, with what it was found and when.

    Writes attestation.json there: an in-toto statement in a DSSE envelope. `--timestamp` and `--redacted` go by an
    attestation that is there already, unless `--key` makes it in the same call.

    \b
    Example:
      earmark attest scan1 --key my.key --redacted for-the-label
    """  # noqa: D301 - click reads the \b
    from earmark.audit import ATTESTATION_FILE, TIMESTAMP_FILE, attach_timestamp, fingerprint_of, write_redacted
    from earmark.audit import attest as sign

    if key is None and timestamp is None and redacted is None:
        raise click.UsageError("nothing to do; expected --key, --timestamp or --redacted")
    if key is not None:
        signed = sign(scan_dir, key)
        click.echo(f"{scan_dir / ATTESTATION_FILE}: {signed.size:,} lines of the log, root {signed.root.hex()}")
        click.echo(f"signed with key {fingerprint_of(signed.public_key)}")
    if timestamp is not None:
        attach_timestamp(scan_dir, timestamp)
        click.echo(f"{scan_dir / TIMESTAMP_FILE}: attached")
    if redacted is not None:
        shown = write_redacted(scan_dir, redacted)
        click.echo(f"{redacted}: {shown.n_shown:,} matched items; {shown.n_hidden:,} lines of the log as hashes only")
