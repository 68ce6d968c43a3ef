"""Audio to fingerprint: bands, saliency, peak bitmaps, patch embeddings, and the model that shapes them."""

from earmark.fingerprint.config import FingerprintConfig
from earmark.fingerprint.fingerprinter import Fingerprint, Fingerprinter, fingerprint
from earmark.fingerprint.model import Model, load_model
from earmark.fingerprint.rendition import ORIGINAL, Rendition, semitones_to_bands, undone_patches, undone_words
from earmark.fingerprint.track_fingerprinter import TrackFingerprint, TrackFingerprinter

__all__ = [
    "ORIGINAL",
    "Fingerprint",
    "FingerprintConfig",
    "Fingerprinter",
    "Model",
    "Rendition",
    "TrackFingerprint",
    "TrackFingerprinter",
    "fingerprint",
    "load_model",
    "semitones_to_bands",
    "undone_patches",
    "undone_words",
]
