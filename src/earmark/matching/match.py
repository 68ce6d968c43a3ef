"""What the matcher finds."""

import dataclasses

__all__ = ["Match"]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Match:
    """A stretch of an item that holds a stretch of a track. Times in seconds.

    Attributes
    ----------
    item_start_s, item_end_s : float
        Where in the item.
    track : int
        The track's number in the catalog.
    track_start_s, track_end_s : float
        Where in the track.
    tempo_ratio : float
        Item tempo over track tempo.
    pitch_semitones : float
        Item pitch minus track pitch.
    score : float
        Spectral peaks that coincide over these seconds.
    expected_score : float
        How many would by chance, both sides having their peaks in the bands they have them.
    log10_e_value : float
        Log of the expected number of chance matches at least this good, per hour of item audio, against this catalog.
    group : int
        Matches of one item with the same number are one recording under several track ids.
    """

    item_start_s: float
    item_end_s: float
    track: int
    track_start_s: float
    track_end_s: float
    tempo_ratio: float
    pitch_semitones: float
    score: float
    expected_score: float
    log10_e_value: float
    group: int
