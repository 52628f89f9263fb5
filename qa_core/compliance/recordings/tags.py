"""Tags in audio files, which may name people or hold pictures, and are not kept."""

import re
import struct
import zlib
from collections.abc import Iterable, Iterator
from mmap import ACCESS_READ, mmap
from pathlib import Path

from qa_core.files.archives import open_file

MAX_COMMENTS = 64 * 1024
"""Bytes of the comments of an OGG file; what is larger holds a picture."""
BLANK = 0x20
BIT_RATES = (
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0),
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0),
)
"""Kilobits a second of layer III, for MPEG 2 and 2.5, and for MPEG 1."""
SAMPLE_RATES = (44_100, 48_000, 32_000)
REVERSED_BITS = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))

PICTURE = re.compile(
    rb"\x89PNG\r\n\x1a\n|GIF8[79]a|\xff\xd8\xff(?:\xe0\x00\x10|\xe1..Exif|\xdb\x00[\x43\x84])"
    rb"|RIFF....(?:WEBP|AVI )|ftyp(?:heic|heix|avif|mif1|isom|mp4|qt  )|\x1aE\xdf\xa3.{0,32}webm",
    re.DOTALL,
)
"""The beginning of a picture or a film."""
MAX_PICTURE_START = 48


class Misshapen(Exception):
    """A file that is not built as its kind is."""


def find_mpeg_frames(path: Path, start: int) -> Iterator[tuple[int, int]]:
    """Find the frames of an MP3 file from there on, each as its first byte and the one
    behind it. What lies between or behind them, such as tags and pictures, is no sound.
    """
    with open_file(path) as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
        kind = data[start + 1] & 0x1E, data[start + 2] & 0x0C
        position, is_lost = start, False
        while 0 <= position < len(data) - 3:
            end = find_frame_end(data, position, kind)
            # Found again behind something else, a frame is one when another follows.
            if end and end <= len(data) and not (is_lost and not _starts(data, end, kind)):
                yield position, end
                position, is_lost = end, False
            else:
                position, is_lost = data.find(b"\xff", position + 1), True


def has_picture(blocks: Iterable[bytes]) -> bool:
    """Return whether a picture or a film begins in these bytes: inside frames that claim to
    be sound, it would be kept with them.
    """
    end = b""
    for block in blocks:
        if PICTURE.search(end + block):
            return True
        end = block[-MAX_PICTURE_START:]
    return False


def _starts(data: mmap, position: int, kind: tuple[int, int]) -> bool:
    return position == len(data) or find_frame_end(data, position, kind) is not None


def find_frame_end(
    data: mmap | bytes, position: int, kind: tuple[int, int] | None = None
) -> int | None:
    """Find the end of the frame of MPEG audio, layer III, that begins there; None without
    one (of that version and rate).
    """
    head = data[position : position + 4]
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return None
    if kind is not None and (head[1] & 0x1E, head[2] & 0x0C) != kind:
        return None
    version, rate = head[1] >> 3 & 3, head[2] >> 2 & 3
    bit_rate = BIT_RATES[version == 3][head[2] >> 4]
    if not bit_rate or version == 1 or rate == 3:
        return None
    samples = 144 if version == 3 else 72
    hertz = SAMPLE_RATES[rate] >> {3: 0, 2: 1, 0: 2}[version]
    return position + samples * bit_rate * 1000 // hertz + (head[2] >> 1 & 1)


def find_ogg_pages(path: Path, start: int) -> Iterator[tuple[int, int]]:
    """Find the pages of the first stream of an OGG file from there to its last one, each
    as its first byte and the one behind it. Other streams, and what follows, are left out.
    """
    with open_file(path) as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
        serial, position, is_last = data[14:18], start, False
        while not is_last and data[position : position + 4] == b"OggS":
            table = data[position + 27 : position + 27 + data[position + 26]]
            end = position + 27 + len(table) + sum(table)
            if end > len(data):
                raise Misshapen
            if data[position + 14 : position + 18] == serial:
                yield position, end
                is_last = bool(data[position + 5] & 4)
            position = end


def read_ogg_head(path: Path) -> tuple[bytes, int]:
    """Read the first pages of an OGG file, comments blanked, and where they end."""
    head, pages, places = bytearray(), [], []
    with open_file(path) as file:
        is_whole = False
        while not is_whole:
            begins, page_head = len(head), file.read(27)
            if len(page_head) < 27 or not page_head.startswith(b"OggS"):
                raise Misshapen
            table = file.read(page_head[26])
            head += page_head + table + file.read(sum(table))
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
            if len(places) > MAX_COMMENTS or (places and places[-1] >= len(head)):
                raise Misshapen
    for position in _find_comments(bytes(head[place] for place in places)):
        head[places[position]] = BLANK
    for begins, ends in pages[1:]:
        head[begins + 22 : begins + 26] = bytes(4)
        head[begins + 22 : begins + 26] = struct.pack("<I", _checksum(head[begins:ends]))
    return bytes(head), len(head)


def _find_comments(packet: bytes) -> list[int]:
    """Find the places of all comment values, so that a player still reads as many comments."""
    position = 8 if packet.startswith(b"OpusTags") else 7 if packet.startswith(b"\x03vorbis") else 4
    positions: list[int] = []
    try:
        position += 4 + struct.unpack_from("<I", packet, position)[0]
        (count,) = struct.unpack_from("<I", packet, position)
        position += 4
        for _number in range(count):
            (length,) = struct.unpack_from("<I", packet, position)
            start, position = position + 4, position + 4 + length
            if position > len(packet):
                raise Misshapen
            positions += range(start + packet[start:position].find(b"=") + 1, position)
    except struct.error as error:
        raise Misshapen from error
    return positions


def _checksum(page: bytes | bytearray) -> int:
    """Compute the checksum of an OGG page (RFC 3533) whose own field is zero: zlib's
    with the bits in reverse, and without its inversions.
    """
    value = zlib.crc32(page.translate(REVERSED_BITS), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{value:032b}"[::-1], 2)
