"""Tags in audio files, which may name people or hold pictures, and are not kept."""

from __future__ import annotations

import struct
from pathlib import Path

MOST_COMMENTS = 64 * 1024
"""Bytes of the comments of an OGG file; what is larger holds a picture."""
BLANK = 0x20
STREAM, SEEK_TABLE = 0, 3
"""The blocks of a FLAC file that tell a player about the sound."""


class Misshapen(Exception):
    """A file that is not built as its kind is."""


def find_mpeg_sound(path: Path, start: int) -> int:
    """Find where the sound of an MP3 file ends: before an ID3v1 and an APE tag."""
    end = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(end - 128, start))
        if file.read(3) == b"TAG":
            end -= 128
        file.seek(max(end - 32, start))
        foot = file.read(32)
    if foot.startswith(b"APETAGEX") and len(foot) == 32:
        length, _items, flags = struct.unpack("<III", foot[12:24])
        end -= length + (32 if flags >> 31 else 0)
    return max(end, start)


def read_flac_head(path: Path) -> tuple[bytes, int]:
    """Read the head of a FLAC file without metadata; return it and where the sound
    begins.
    """
    with path.open("rb") as file:
        file.seek(4)
        kept, is_last = [], False
        while not is_last:
            head = file.read(4)
            if len(head) < 4:
                raise Misshapen
            is_last, kind, length = (
                bool(head[0] & 0x80),
                head[0] & 0x7F,
                int.from_bytes(head[1:], "big"),
            )
            if kind in (STREAM, SEEK_TABLE):
                kept.append((kind, head[1:] + file.read(length)))
            else:
                file.seek(length, 1)
        start = file.tell()
    if not kept or start > path.stat().st_size:
        raise Misshapen
    blocks = (
        bytes([kind | (0x80 if number == len(kept) else 0)]) + block
        for number, (kind, block) in enumerate(kept, start=1)
    )
    return b"fLaC" + b"".join(blocks), start


def read_ogg_head(path: Path) -> tuple[bytes, int]:
    """Read the first pages of an OGG file (Vorbis, Opus, FLAC) with comments blanked;
    return them and where they end.
    """
    head, pages, places = bytearray(), [], []
    with path.open("rb") as file:
        is_whole = False
        while not is_whole:
            begins, fixed = len(head), file.read(27)
            if len(fixed) < 27 or not fixed.startswith(b"OggS"):
                raise Misshapen
            table = file.read(fixed[26])
            head += fixed + table + file.read(sum(table))
            pages.append((begins, len(head)))
            if begins == 0:  # the identification of the stream, alone on its page
                continue
            place = begins + 27 + len(table)
            for length in table:
                places += range(place, place + length)
                place += length
                if length < 255:
                    is_whole = True
                    break
            if len(places) > MOST_COMMENTS or (places and places[-1] >= len(head)):
                raise Misshapen
    for position in _find_comments(bytes(head[place] for place in places)):
        head[places[position]] = BLANK
    for begins, ends in pages[1:]:
        head[begins + 22 : begins + 26] = bytes(4)
        head[begins + 22 : begins + 26] = struct.pack("<I", _checksum(head[begins:ends]))
    return bytes(head), len(head)


def _find_comments(packet: bytes) -> list[int]:
    """Find the places of all comment values, so that a player still reads as many
    comments.
    """
    position = 8 if packet.startswith(b"OpusTags") else 7 if packet.startswith(b"\x03vorbis") else 4
    found: list[int] = []
    try:
        position += 4 + struct.unpack_from("<I", packet, position)[0]
        (count,) = struct.unpack_from("<I", packet, position)
        position += 4
        for _number in range(count):
            (length,) = struct.unpack_from("<I", packet, position)
            start, position = position + 4, position + 4 + length
            if position > len(packet):
                raise Misshapen
            found += range(start + packet[start:position].find(b"=") + 1, position)
    except struct.error as error:
        raise Misshapen from error
    return found


def _make_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte << 24
        for _bit in range(8):
            value = (value << 1 ^ 0x04C11DB7 if value & 0x80000000 else value << 1) & 0xFFFFFFFF
        table.append(value)
    return tuple(table)


_TABLE = _make_table()


def _checksum(page: bytes | bytearray) -> int:
    """Compute the checksum of an OGG page (RFC 3533) whose own field is zero."""
    value = 0
    for byte in page:
        value = value << 8 & 0xFFFFFFFF ^ _TABLE[value >> 24 ^ byte]
    return value
