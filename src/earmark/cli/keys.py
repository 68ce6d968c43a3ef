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
@click.option(
    "--kind",
    type=click.Choice(["signing", "encryption"]),
    default="signing",
    show_default=True,
    help="What for: to sign with (Ed25519), or to be sent what only you can open (X25519, a key of age).",
)
def new(*, file: Path, kind: str) -> None:
    """Make a pair of keys: the private one in FILE, which only you can read, the public one in FILE.pub.

    Hand out the public key, or the fingerprint of one for signing, by another way than the results.

    \b
    Example:
      earmark keys new my.key
      earmark keys new age.key --kind encryption
    """  # noqa: D301 - click reads the \b
    if kind == "encryption":
        from earmark.exchange import make_identity

        public, recipient = make_identity(file)
        click.echo(f"private key {file}\npublic key  {public}\nrecipient   {recipient}")
        return
    from earmark.audit import make_key

    public, fingerprint = make_key(file)
    click.echo(f"private key {file}\npublic key  {public}\nfingerprint {fingerprint}")
