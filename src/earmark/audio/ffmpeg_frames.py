"""Opening a container with FFmpeg and getting the decoded frames of its first audio stream."""

from collections.abc import Iterator
from contextlib import contextmanager

import av
import av.logging
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet

from earmark.audio.byte_source import ByteSource
from earmark.errors import AudioError

__all__ = ["FrameReader", "LogLine", "ffmpeg_log", "open_container"]

LogLine = tuple[int, str, str]

# Demuxers of recordings. FFmpeg also knows playlists and session descriptions (hls, concat, sdp) that open other
# files or the network, and subtitles and pictures: none of these may be tried on a file of unknown origin.
_DEMUXERS = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,ast,au,avi,caf,dsf,dts,dtshd,eac3,flac,flv,gxf,iff,loas,matroska,mlp,mov,mp3,"
    "mpc,mpc8,mpeg,mpegts,mxf,nut,ogg,oma,rm,shn,sox,swf,tak,truehd,tta,voc,vqf,w64,wav,wtv,wv,xwma"
)
# What FFmpeg logs, without raising, when a file stops before its structure does.
_CUT_WORDS = ("ended prematurely", "incomplete frame", "partial file", "Packet corrupt")
# A parser hands over what it held before a broken packet after the news of it.
_RECOVERED_PACKETS = 4

_BATCH_PACKETS = 32


def open_container(source: ByteSource) -> InputContainer:
    """Open a container.

    Parameters
    ----------
    source
        The file, read from its start.

    Returns
    -------
    InputContainer
        To be closed by the caller.

    Raises
    ------
    AudioError
        If FFmpeg cannot open it, in its own words.
    MemoryError
        If memory does not suffice for it.
    """
    source.seek(0)
    with ffmpeg_log() as log:
        try:
            options = {"format_whitelist": _DEMUXERS}
            return av.open(source, "r", options=options, metadata_errors="replace", buffer_size=1 << 16)
        except av.error.ArgumentError as error:  # outside the whitelist
            raise AudioError("FFmpeg: not a format of recordings") from error
        except MemoryError:  # PyAV's is an FFmpegError too; it says nothing of the file
            raise
        except (av.FFmpegError, ValueError, OSError) as error:
            raise AudioError(f"FFmpeg: {_words(error, log)}") from error


class FrameReader:
    """The decoded frames of one audio stream; damaged packets are left out.

    Parameters
    ----------
    container
        The open container.
    stream
        One of its audio streams.

    Attributes
    ----------
    n_frames
        Frames decoded so far.
    trouble
        After the last frame: what befell the last packets, in FFmpeg's words; None if nothing did.
    """

    def __init__(self, container: InputContainer, stream: AudioStream) -> None:
        self._packets = container.demux(stream)
        self.n_frames = 0
        self.trouble: str | None = None
        self._ended, self._n_good = False, 0

    def frames(self) -> Iterator[AudioFrame]:
        """Yield the frames up to the end of the stream, or to where FFmpeg gives up."""
        while not self._ended:
            batch = self._batch()
            self.n_frames += len(batch)
            yield from batch

    def _batch(self) -> list[AudioFrame]:
        # The log is collected for many packets at once: turning it on and off costs 10 us.
        batch: list[AudioFrame] = []
        with ffmpeg_log() as log:
            for _ in range(_BATCH_PACKETS):
                n_lines = len(log)
                try:
                    packet = next(self._packets, None)
                except MemoryError:
                    raise
                except IndexError:
                    # PyAV's, when the file has come to its end, of streams that came up behind its head. They are
                    # behind ours in its list, of which all packets were had by then.
                    packet = None
                except (av.FFmpegError, ValueError, OSError) as error:
                    packet = None
                    self._note(_words(error, log))
                if packet is not None:
                    batch += self._decode(packet, log)
                self._note_cut(log[n_lines:])
                if packet is None:
                    self._ended = True
                    break
        return batch

    def _decode(self, packet: "Packet[AudioStream]", log: list[LogLine]) -> list[AudioFrame]:
        try:
            decoded: list[AudioFrame] = packet.decode()
        except MemoryError:
            raise
        except (av.FFmpegError, ValueError) as error:
            self._note(_words(error, log))
            return []
        if decoded and packet.size:  # not what the decoder still held at the end
            self._n_good += 1
            if self._n_good >= _RECOVERED_PACKETS:
                self.trouble = None
        return decoded

    def _note_cut(self, log: list[LogLine]) -> None:
        for _, _, words in log:
            if any(cut in words for cut in _CUT_WORDS):
                self._note(words.strip())

    def _note(self, trouble: str) -> None:
        self.trouble, self._n_good = trouble, 0


@contextmanager
def ffmpeg_log() -> Iterator[list[LogLine]]:
    """Collect what FFmpeg logs as warnings and errors on this thread, and keep it off stderr.

    Yields
    ------
    list of LogLine
        Level, component and text of each line.
    """
    level, skip_repeated = av.logging.get_level(), av.logging.get_skip_repeated()
    av.logging.set_level(av.logging.WARNING)
    av.logging.set_skip_repeated(False)  # or the next file with the same trouble would show none
    try:
        with av.logging.Capture() as log:
            yield log
    finally:
        av.logging.set_level(level)
        av.logging.set_skip_repeated(skip_repeated)


def _words(error: Exception, log: list[LogLine]) -> str:
    """Return FFmpeg's words: what it raised and the last error it logged."""
    said = getattr(error, "strerror", None) or str(error)
    logged = [words.strip() for level, _, words in log if level <= av.logging.ERROR]
    return f"{said} ({logged[-1]})" if logged else said
