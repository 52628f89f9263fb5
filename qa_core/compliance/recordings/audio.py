"""Audio files: recognised by content, measured, and read in a form that browsers play."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from qa_core.compliance.recordings import tags
from qa_core.files.archives import MAX_RATIO, open_file

if TYPE_CHECKING:
    import numpy
    import soundfile

PEAKS = 400
MAX_SECONDS = 4 * 3600
MAX_WAV_BYTES = 2**32 - 64
MAX_RATE, MAX_CHANNELS = 192_000, 8
MIN_BYTES_FOR_RATIO = 512 << 20
"""Bytes of a WAV up to which it may be any multiple of its file; then `MAX_RATIO` times it."""
UNKNOWN_LENGTH = 0x7FFF0000
"""From here on, a length in the head of a WAV means that its writer did not know it."""

GSM_FRAME = 33
RAW_GSM = {"format": "RAW", "subtype": "GSM610", "samplerate": 8000, "channels": 1}
READ_BYTES = 64 * 1024


class Unfit(Exception):
    """A file not kept; `reason`: not_audio, damaged_audio, image_attached, too_long or
    unpacks_too_far.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Audio:
    """A recognised audio file. `peaks`: the loudest sample of each of at most `PEAKS`
    slices, 0–100.

    `frames` is None for MP3 and OGG, whose sound is kept as it is: `head`, and what
    sounds in the file from `start` on. Anything else is written as plain WAV of so many
    frames.
    """

    path: Path
    media_type: str
    seconds: float
    peaks: tuple[int, ...]
    rate: int
    channels: int
    frames: int | None = None
    head: bytes = b""
    start: int = 0


def is_audio(path: Path) -> bool:
    with open_file(path) as file:
        head = file.read(READ_BYTES)
    try:
        _recognise(path, head)
    except Unfit as unfit:
        return unfit.reason != "not_audio"
    return True


def examine(path: Path) -> Audio:
    """Recognise a file and read it through, block by block. Raises Unfit, OSError."""
    with open_file(path) as file:
        head = file.read(READ_BYTES)
    kind, skip = _recognise(path, head)
    with _open_sound(path, kind) as sound:
        if kind == "wav" and _is_cut(sound.extra_info):
            raise Unfit("damaged_audio")
        rate, channels, frame_count = sound.samplerate, sound.channels, sound.frames
        if rate > MAX_RATE or channels > MAX_CHANNELS:
            raise Unfit("damaged_audio")
        most_bytes = max(MIN_BYTES_FOR_RATIO, MAX_RATIO * path.stat().st_size)
        frames, loudest = _read_through(sound, most_bytes // (channels * 2))
    if not frames or (kind == "flac" and frames < frame_count):
        raise Unfit("damaged_audio")
    facts = frames / rate, _slices(loudest), rate, channels
    if kind in ("wav", "gsm", "flac"):
        if frames * channels * 2 > MAX_WAV_BYTES:
            raise Unfit("too_long")
        audio = Audio(path, "audio/wav", *facts, frames)
    else:
        media_type = {"mp3": "audio/mpeg", "ogg": "audio/ogg"}[kind]
        audio = Audio(path, media_type, *facts, None, *_leave_tags(path, kind, skip))
    if tags.has_picture(read(audio)):
        raise Unfit("image_attached")
    return audio


def read(audio: Audio) -> Iterator[bytes]:
    """Read the audio as it is kept, block by block: the frames of MP3 and the pages of OGG
    with nothing between or behind them, all else as 16-bit WAV.
    """
    if audio.frames is None:
        yield audio.head
        is_mpeg = audio.media_type == "audio/mpeg"
        find = tags.find_mpeg_frames if is_mpeg else tags.find_ogg_pages
        with open_file(audio.path) as file:
            for first, end in find(audio.path, audio.start):
                file.seek(first)
                yield file.read(end - first)
        return
    size = audio.frames * audio.channels * 2
    frame_bytes = audio.channels * 2
    form = struct.pack(
        "<IHHIIHH", 16, 1, audio.channels, audio.rate, audio.rate * frame_bytes, frame_bytes, 16
    )
    yield (
        b"RIFF"
        + struct.pack("<I", 36 + size)
        + b"WAVEfmt "
        + form
        + b"data"
        + struct.pack("<I", size)
    )
    with open_file(audio.path) as file:
        kind, _skip = _recognise(audio.path, file.read(READ_BYTES))
    with _open_sound(audio.path, kind) as sound:
        remaining_frames = audio.frames
        while remaining_frames:
            block = sound.read(
                min(remaining_frames, READ_BYTES // frame_bytes or 1), dtype="int16", always_2d=True
            )
            if not len(block):
                raise Unfit("damaged_audio")
            remaining_frames -= len(block)
            yield block.astype("<i2").tobytes()


def _recognise(path: Path, head: bytes) -> tuple[str, int]:
    """Recognise wav, flac, ogg, mp3 or gsm by content; return kind and bytes before audio."""
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
        return "wav", 0
    if head.startswith(b"fLaC"):
        if any(kind == 6 for kind in _flac_blocks(head)):
            raise Unfit("image_attached")
        return "flac", 0
    if head.startswith(b"OggS"):
        if not head[28:].startswith((b"\x01vorbis", b"OpusHead", b"\x7fFLAC")) or b"theora" in head:
            raise Unfit("not_audio")
        if b"METADATA_BLOCK_PICTURE" in head.upper():
            raise Unfit("image_attached")
        return "ogg", 0
    skip = _tag_bytes(head)
    if skip or tags.find_frame_end(head, 0):
        with open_file(path) as file:
            file.seek(skip)
            if not tags.find_frame_end(file.read(4), 0):
                raise Unfit("not_audio" if not skip else "damaged_audio")
        return "mp3", skip
    if head and all(byte >> 4 == 0xD for byte in head[::GSM_FRAME]):
        if path.stat().st_size % GSM_FRAME:
            raise Unfit("damaged_audio")
        return "gsm", 0
    raise Unfit("not_audio" if head else "damaged_audio")


def _leave_tags(path: Path, kind: str, skip: int) -> tuple[bytes, int]:
    """Return the head to write anew, and where the sound to keep begins."""
    if kind == "mp3":
        return b"", skip
    try:
        head, start = tags.read_ogg_head(path)
        list(tags.find_ogg_pages(path, start))
    except tags.Misshapen as error:
        raise Unfit("damaged_audio") from error
    return head, start


def _tag_bytes(head: bytes) -> int:
    """Return the length of a leading ID3 tag, which may name people and hold pictures."""
    if not head.startswith(b"ID3") or len(head) < 10:
        return 0
    size = 0
    for byte in head[6:10]:
        size = size << 7 | byte & 0x7F
    return 10 + size + (10 if head[5] & 0x10 else 0)


def _flac_blocks(head: bytes) -> Iterator[int]:
    position, is_last = 4, False
    while not is_last and position + 4 <= len(head):
        is_last, kind = bool(head[position] & 0x80), head[position] & 0x7F
        yield kind
        position += 4 + int.from_bytes(head[position + 1 : position + 4], "big")


@contextmanager
def _open_sound(path: Path, kind: str) -> Iterator[soundfile.SoundFile]:
    # Only here: who plays what is stored needs no decoder. By number, because of a file
    # with a name the library goes by its ending.
    import soundfile

    try:
        with (
            open_file(path) as file,
            soundfile.SoundFile(
                file.fileno(), closefd=False, **(RAW_GSM if kind == "gsm" else {})
            ) as sound,
        ):
            yield sound
    except soundfile.LibsndfileError as error:
        raise Unfit("damaged_audio") from error


def _is_cut(log: str) -> bool:
    """Return whether the head of a WAV promises more samples than the file has."""
    return any(
        int(length) < int(head_length) < UNKNOWN_LENGTH
        for head_length, length in re.findall(r"data : (\d+) \(should be (\d+)\)", log)
    )


def _read_through(sound: soundfile.SoundFile, most: int) -> tuple[int, numpy.ndarray]:
    """Count the readable frames, and find the peak of each two-hundredth of a second. Raises
    Unfit beyond four hours, and beyond so many frames: a small file of silence fills a disk.
    """
    import numpy

    window, frames = max(sound.samplerate // 200, 1), 0
    loudest: list[numpy.ndarray] = []
    while len(block := sound.read(window * 1000, dtype="float32", always_2d=True)):
        frames += len(block)
        if frames > MAX_SECONDS * sound.samplerate:
            raise Unfit("too_long")
        if frames > most:
            raise Unfit("unpacks_too_far")
        loud = numpy.nan_to_num(numpy.abs(block).max(axis=1))
        loudest.append(numpy.maximum.reduceat(loud, range(0, len(loud), window)))
    return frames, numpy.concatenate(loudest or [numpy.empty(0)])


def _slices(loudest: numpy.ndarray) -> tuple[int, ...]:
    count = min(PEAKS, len(loudest))
    edges = [position * len(loudest) // count for position in range(count + 1)]
    return tuple(
        min(round(100 * float(loudest[start:end].max())), 100) for start, end in pairwise(edges)
    )
