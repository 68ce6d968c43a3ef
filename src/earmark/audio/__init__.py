"""Sound in: a path, bytes or a file object becomes mono float32 at 8 kHz, in chunks of bounded memory.

Nothing else in Earmark imports soundfile, PyAV or soxr.
"""

from earmark.audio.audio_stream import AudioStream, load, stream
from earmark.audio.resampling import SAMPLE_RATE

__all__ = ["SAMPLE_RATE", "AudioStream", "load", "stream"]
