"""Audio to fingerprint: bands, saliency, peak bitmaps, patch embeddings, and the model that shapes them."""

from earmark.fingerprint.config import FingerprintConfig
from earmark.fingerprint.fingerprinter import Fingerprint, Fingerprinter, fingerprint
from earmark.fingerprint.model import Model, load_model

__all__ = ["Fingerprint", "FingerprintConfig", "Fingerprinter", "Model", "fingerprint", "load_model"]
