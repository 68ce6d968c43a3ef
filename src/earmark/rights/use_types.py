"""Use types: what the words that parties agreed on for AI uses mean, read from a file of their own."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from earmark.errors import ParameterError, RegistryError
from earmark.rights.cells import choose
from earmark.rights.grants import PERMISSIONS, SCOPES, Permission, Scope

__all__ = ["CONSUMPTION", "UseMeaning", "meaning_of", "read_use_types"]

CONSUMPTION: Final = frozenset(
    """AsPerContract Broadcast Cable ConditionalDownload ContentInfluencedStream Display Download Dub ExtractForInternet
    KioskDownload Narrowcast NonInteractiveStream OnDemandStream Perform PerformAsMusicOnHold PermanentDownload
    PlayInPublic Playback Podcast Print PrivateCopy PurchaseAsPhysicalProduct Rent Simulcast Stream TetheredDownload
    TimeInfluencedStream Use UseAsAlertTone UseAsDevice UseAsKaraoke UseAsRingbackTone UseAsRingbackTune UseAsRingtone
    UseAsRingtune UseAsScreensaver UseAsVoiceMail UseAsWallpaper UseForIdentification UseInMobilePhoneMessaging
    UseInPhoneListening UserMakeAvailableLabelProvided UserMakeAvailableUserProvided Webcast""".split()  # noqa: SIM905
)
"""DDEX's own use types, all of them of listening, sale and copying: none ever stands for an AI use, whatever a mapping
says."""

_MAX_BYTES: Final = 1 << 20
_KEYS: Final = frozenset({"scope", "permission", "constraints"})


@dataclass(frozen=True, kw_only=True, slots=True)
class UseMeaning:
    """What a user-defined use type stands for.

    Parameters
    ----------
    scope : str
        One of `SCOPES`.
    permission : str
        One of `PERMISSIONS`.
    constraints : str or None
        In words, of `constrained`.
    """

    scope: Scope
    permission: Permission = "allowed"
    constraints: str | None = None


def meaning_of(value: str, namespace: str | None, meanings: Mapping[str, UseMeaning]) -> UseMeaning | None:
    """Look up a use type: with its namespace (`namespace:value`) first, then alone; None if it has no meaning here."""
    return meanings.get(f"{namespace}:{value}") or meanings.get(value)


def read_use_types(path: Path) -> dict[str, UseMeaning]:
    """Read a mapping of use types.

    Parameters
    ----------
    path : pathlib.Path
        JSON: an object of names, each with a scope, or with an object of `scope`, `permission` and `constraints`.

    Returns
    -------
    dict of str to UseMeaning
        By name.

    Raises
    ------
    RegistryError
        If the file cannot be read or says something else; the message names the entry.
    """
    try:
        data = path.read_bytes()[: _MAX_BYTES + 1]
        entries: Any = json.loads(data) if len(data) <= _MAX_BYTES else None
    except OSError as error:
        raise RegistryError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise RegistryError(f"{path} is no JSON: {error}") from error
    if not isinstance(entries, dict):
        raise RegistryError(f'{path}: expected an object such as {{"AiTraining": "ai_training"}} of at most 1 MiB')
    try:
        return {str(name): _meaning(str(name), entry) for name, entry in entries.items()}
    except ParameterError as error:
        raise RegistryError(f"{path}: {error}") from error


def _meaning(name: str, entry: object) -> UseMeaning:
    if name.rpartition(":")[2] in CONSUMPTION:
        raise ParameterError(f"{name!r} is DDEX's use type of listening, sale or copying; no AI use follows from it")
    if isinstance(entry, str):
        entry = {"scope": entry}
    if not isinstance(entry, dict) or not set(entry) <= _KEYS or not all(isinstance(v, str) for v in entry.values()):
        raise ParameterError(
            f"{name!r}: expected a scope, or an object of {', '.join(sorted(_KEYS))}, got {entry!r:.100}"
        )
    try:
        scope = choose(entry.get("scope", ""), SCOPES)
        permission = choose(entry.get("permission", "allowed"), PERMISSIONS)
    except ParameterError as error:
        raise ParameterError(f"{name!r}: {error}") from error
    constraints = entry.get("constraints")
    if constraints and permission != "constrained":
        raise ParameterError(f"{name!r}: constraints go with permission constrained, got {permission}")
    return UseMeaning(scope=scope, permission=permission, constraints=constraints)
