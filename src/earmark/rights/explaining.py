"""Explaining one case: the verdict, what is known of the recording, and the grants that do not decide."""

from dataclasses import dataclass

from earmark.rights.facts import Recording, Use
from earmark.rights.knowledge import entry_of, held_by
from earmark.rights.policy import decide
from earmark.rights.recording_table import Held
from earmark.rights.recordings import RecordingEntry
from earmark.rights.registry import Registry
from earmark.rights.weighing import Verdict

__all__ = ["ExplainedCase", "explain_case"]

_MANY = 1000  # runners-up: as good as all


@dataclass(frozen=True, kw_only=True, slots=True)
class ExplainedCase:
    """A case and all that decides it.

    Parameters
    ----------
    recording : Recording
        As asked about.
    use : Use
        What is intended.
    entry : RecordingEntry or None
        What the registry says of the recording.
    holders : tuple of (str, Fraction or None, frozenset of str)
        Who holds which share where; as of `held_by`.
    verdict : Verdict
        With all runners-up.
    """

    recording: Recording
    use: Use
    entry: RecordingEntry | None
    holders: Held
    verdict: Verdict


def explain_case(recording: Recording, registry: Registry | None, use: Use) -> ExplainedCase:
    """Decide a case, and gather why.

    Parameters
    ----------
    recording, registry, use
        As of `decide`.

    Returns
    -------
    ExplainedCase
        The verdict is that of `decide`.

    Raises
    ------
    ParameterError, RegistryError
        As of `decide`.
    """
    return ExplainedCase(
        recording=recording,
        use=use,
        entry=entry_of(registry, recording),
        holders=held_by(registry, recording, use.territory),
        verdict=decide(recording, registry, use, n_runners_up=_MANY),
    )
