"""`earmark keys`."""

from pathlib import Path

import click

__all__ = ["keys"]


@click.group()
def keys() -> None:
    """Make the keys that attestations are signed with.

    \b
    Example:
      earmark keys new my.key
    """  # noqa: D301 - click reads the \b


@keys.command("new")
@click.argument("file", type=click.Path(path_type=Path))
def new(*, file: Path) -> None:
    """Make an Ed25519 key: the private one in FILE, which only you can read, the public one in FILE.pub.

    Hand out the public key, or its fingerprint, by another way than the results.

    \b
    Example:
      earmark keys new my.key
    """  # noqa: D301 - click reads the \b
    from earmark.audit import make_key

    public, fingerprint = make_key(file)
    click.echo(f"private key {file}\npublic key  {public}\nfingerprint {fingerprint}")
