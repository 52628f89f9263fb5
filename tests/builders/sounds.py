"""Small audio files for tests, made by the library that reads them."""

from __future__ import annotations

from pathlib import Path

import numpy
import soundfile

RATE = 8000
FORMATS = {
    "wav": ("WAV", "PCM_16"),
    "ulaw": ("WAV", "ULAW"),
    "alaw": ("WAV", "ALAW"),
    "wav49": ("WAV", "GSM610"),
    "gsm": ("RAW", "GSM610"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "flac": ("FLAC", "PCM_16"),
}


def make(
    path: Path, form: str = "wav", seconds: float = 1.0, tone: int = 440, loud: float = 0.5
) -> Path:
    """Write a tone: silent in its first half, so that its waveform is known."""
    moments = numpy.arange(int(RATE * seconds)) / RATE
    samples = numpy.sin(2 * numpy.pi * tone * moments) * loud
    samples[: len(samples) // 2] = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    kind, subtype = FORMATS[form]
    with path.open("wb") as file:  # so that the name decides nothing
        soundfile.write(file.fileno(), samples, RATE, format=kind, subtype=subtype, closefd=False)
    return path
