"""Audio at rest: encrypted in chunks that cannot be cut or exchanged, known by content,
playable everywhere, and with a day on which it ends.
"""

from __future__ import annotations

import io
import os
import random
import resource
import stat
import struct
import traceback
from contextlib import suppress
from datetime import date
from pathlib import Path

import numpy
import pytest
import soundfile
from builders import sounds
from builders.long_seeds import count_seeds

from qa_core.compliance.recordings import audio, deletion, tags, vault
from qa_core.storage import sealed_files


def blocks(size: int) -> bytes:
    return bytes(position * 7 % 251 for position in range(size))


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 131_072, 200_000])
def test_what_is_kept_is_read_back_whole_and_in_parts_and_stands_nowhere_in_the_clear(
    centre: Path, size: int
) -> None:
    content = blocks(size)

    name = vault.write(content[start : start + 1000] for start in range(0, size, 1000))

    path = vault.folder() / name
    assert b"".join(vault.read(name)) == content
    assert vault.clear_bytes(name) == size
    for start, end in (
        (0, 1),
        (size // 2, size // 2 + 5),
        (65_530, 65_545),
        (size - 3, size + 100),
    ):
        assert b"".join(vault.read(name, max(start, 0), end)) == content[max(start, 0) : end]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert size < 100 or content[:64] not in path.read_bytes()


def test_a_file_that_was_cut_changed_reordered_or_exchanged_is_not_played(centre: Path) -> None:
    name, other = vault.write([blocks(200_000)]), vault.write([blocks(200_000)])
    path = vault.folder() / name
    whole, chunk = path.read_bytes(), vault.CHUNK + sealed_files.TAG_BYTES
    head, parts = (
        whole[:12],
        [whole[12 + start : 12 + start + chunk] for start in range(0, len(whole) - 12, chunk)],
    )
    changed = {
        "cut at a chunk": head + b"".join(parts[:-1]),
        "cut within one": whole[:-7],
        "swapped": head + parts[1] + parts[0] + b"".join(parts[2:]),
        "one bit": whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:],
        "mixed": head
        + (vault.folder() / other).read_bytes()[12 : 12 + chunk]
        + b"".join(parts[1:]),
        "another's": (vault.folder() / other).read_bytes(),
        "nothing": b"",
    }
    for content in changed.values():
        path.write_bytes(content)
        with pytest.raises(vault.DamagedFile):
            list(vault.read(name))
    path.write_bytes(whole)
    assert b"".join(vault.read(name)) == blocks(200_000)


def test_a_file_that_is_deleted_while_it_is_read_gives_nothing_more(centre: Path) -> None:
    name = vault.write([blocks(200_000)])
    pieces = vault.read(name)
    assert next(pieces) == blocks(200_000)[: vault.CHUNK]

    vault.remove(name)

    with pytest.raises(vault.DamagedFile):
        next(pieces)


def test_another_key_opens_nothing(centre: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = vault.write([b"secret"])
    monkeypatch.setenv("QA_SECRET_RECORDINGS", "ab" * 32)

    with pytest.raises(vault.DamagedFile):
        list(vault.read(name))


def test_a_writer_that_fails_leaves_nothing(centre: Path) -> None:
    def failing():
        yield blocks(100_000)
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        vault.write(failing())

    assert [path for path in vault.folder().rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("form", sounds.FORMATS)
def test_every_format_becomes_something_that_browsers_play_with_its_length_and_waveform(
    form: str, tmp_path: Path
) -> None:
    path = sounds.make(tmp_path / "a.raw", form, seconds=2.0)

    understood = audio.examine(path)
    heard = soundfile.SoundFile(io.BytesIO(b"".join(audio.read(understood))))

    assert understood.seconds == pytest.approx(2.0, abs=0.05)
    assert len(understood.peaks) == 400
    assert max(understood.peaks[:180]) <= 2
    assert all(40 <= peak <= 60 for peak in understood.peaks[230:370])
    assert (heard.format, heard.frames) == (
        {"mp3": "MP3", "ogg": "OGG", "opus": "OGG"}.get(form, "WAV"),
        round(understood.seconds * 8000),
    )
    if form == "wav":
        assert path.read_bytes() == b"".join(audio.read(understood))


def test_a_short_recording_has_fewer_peaks_and_a_loud_one_ends_at_a_hundred(tmp_path: Path) -> None:
    assert len(audio.examine(sounds.make(tmp_path / "a", seconds=0.5)).peaks) == 100
    assert max(audio.examine(sounds.make(tmp_path / "b", loud=3.0)).peaks) == 100


PNG = b"\x89PNG\r\n\x1a\n" + bytes(3000)
MP4 = b"\x00\x00\x00\x18ftypmp42" + bytes(3000)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "damaged_audio"),
        (PNG, "not_audio"),
        (MP4, "not_audio"),
        (b"Good morning, this is no sound.\n" * 50, "not_audio"),
        (b"\xff\xd8\xff\xe0" + bytes(500), "not_audio"),
        (b"RIFF\x24\x00\x00\x00AVI LIST" + bytes(500), "not_audio"),
        (b"OggS" + bytes(24) + b"\x80theora" + bytes(500), "not_audio"),
        (b"RIFF\xff\xff\x00\x00WAVEfmt " + bytes(8), "damaged_audio"),
        (b"ID3\x03\x00\x00\x00\x00\x0f\x76" + b"APIC" + PNG, "damaged_audio"),
        (b"fLaC\x06\x00\x00\x10" + PNG, "image_attached"),
    ],
)
def test_what_is_no_sound_is_told_by_its_content_whatever_its_name(
    content: bytes, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "call.wav"
    path.write_bytes(content)

    with pytest.raises(audio.Unfit) as unfit:
        audio.examine(path)

    assert unfit.value.reason == reason


@pytest.mark.parametrize("form", ["wav", "ulaw", "wav49", "flac", "ogg"])
def test_a_file_that_ends_before_its_time_is_damaged(form: str, tmp_path: Path) -> None:
    path = sounds.make(tmp_path / "a", form, seconds=2.0)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    with pytest.raises(audio.Unfit, match="damaged_audio"):
        audio.examine(path)


def test_a_wav_whose_writer_did_not_know_its_length_is_read_to_its_end(tmp_path: Path) -> None:
    path = sounds.make(tmp_path / "a", seconds=2.0)
    content = path.read_bytes()
    path.write_bytes(content[:4] + b"\xff" * 4 + content[8:40] + b"\xff" * 4 + content[44:])

    assert b"".join(audio.read(audio.examine(path))) == content


def test_a_name_in_the_tag_of_an_mp3_is_not_kept(tmp_path: Path) -> None:
    path = sounds.make(tmp_path / "a", "mp3")
    plain = path.read_bytes()
    tag = b"TPE1" + bytes([0, 0, 0, 12, 0, 0]) + b"\x00Mme Dupont "
    path.write_bytes(b"ID3\x03\x00\x00\x00\x00\x00" + bytes([len(tag)]) + tag + plain)

    assert b"".join(audio.read(audio.examine(path))) == plain


NUMBER = b"+33612345678"


@pytest.mark.parametrize("form", ["flac", "ogg", "opus"])
def test_what_the_tags_of_flac_and_ogg_say_is_not_kept_and_the_sound_is_the_same(
    form: str, tmp_path: Path
) -> None:
    path, (kind, subtype) = tmp_path / "a", sounds.FORMATS[form]
    samples = soundfile.read(sounds.make(tmp_path / "plain.wav", seconds=2.0))[0]
    with (
        path.open("wb") as file,
        soundfile.SoundFile(
            file.fileno(), "w", sounds.RATE, 1, subtype, format=kind, closefd=False
        ) as sound,
    ):
        sound.title, sound.artist = NUMBER.decode(), "Mme Dupont, " * 100
        sound.write(samples)
    assert NUMBER in path.read_bytes()

    kept = b"".join(audio.read(audio.examine(path)))

    assert NUMBER not in kept and b"Dupont" not in kept
    with path.open("rb") as before, soundfile.SoundFile(io.BytesIO(kept)) as after:
        assert after.title.strip() == after.artist.strip() == ""
        assert (after.read() == soundfile.read(before)[0]).all()


@pytest.mark.parametrize("form", ["mp3", "ogg", "opus", "flac"])
@pytest.mark.parametrize("place", ["behind", "between"])
def test_a_picture_behind_or_between_the_sound_is_not_kept(
    form: str, place: str, tmp_path: Path
) -> None:
    path = sounds.make(tmp_path / "a", form, seconds=2.0)
    plain = path.read_bytes()
    picture = b"\xff\xd8\xff\xe0" + b"a face " * 100 + b"\xff\xd9"
    cut = len(plain)
    if place == "between" and form == "mp3":
        frames = list(tags.find_mpeg_frames(path, 0))
        cut = frames[len(frames) // 2][0]
    path.write_bytes(plain[:cut] + picture + plain[cut:])

    kept = b"".join(audio.read(audio.examine(path)))

    assert b"a face" not in kept
    assert soundfile.SoundFile(io.BytesIO(kept)).frames == pytest.approx(16_000, rel=0.1)


JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + b"a face " * 9


@pytest.mark.parametrize("form", ["wav", "mp3", "ogg", "opus", "flac"])
@pytest.mark.parametrize("picture", [PNG[:70], JPEG[:70]])
def test_a_picture_inside_what_claims_to_be_sound_is_refused(
    form: str, picture: bytes, tmp_path: Path
) -> None:
    path = sounds.make(tmp_path / "a", form, seconds=4.0)
    content = bytearray(path.read_bytes())
    if form == "mp3":
        first, _end = list(tags.find_mpeg_frames(path, 0))[20]
        content[first + 4 : first + 4 + len(picture)] = picture
    elif form in ("ogg", "opus"):
        *_, (last, end) = tags.find_ogg_pages(path, 0)
        page = content[last:end]
        size, table = 27 + page[26], [len(picture), *page[27 : 27 + page[26]]]
        page = page[:26] + bytes([len(table), *table]) + picture + page[size:]
        page[22:26] = bytes(4)
        page[22:26] = struct.pack("<I", tags._checksum(page))
        content[last:end] = page
    else:
        samples = numpy.frombuffer((b"\0" * 9000 + picture + b"\0" * 9000), "<i2")
        with path.open("wb") as file:
            soundfile.write(
                file.fileno(), samples, 8000, "PCM_16", format=form.upper(), closefd=False
            )
        content = path.read_bytes()
    path.write_bytes(content)

    with pytest.raises(audio.Unfit) as refused:
        audio.examine(path)
    # No Opus decoder reads on behind it.
    assert refused.value.reason == ("damaged_audio" if form == "opus" else "image_attached")


def test_tags_behind_the_sound_of_an_mp3_are_not_kept(tmp_path: Path) -> None:
    path = sounds.make(tmp_path / "a", "mp3")
    plain, item = path.read_bytes(), b"Cover Art (Front)\0" + PNG
    at_both_ends = [
        b"APETAGEX" + struct.pack("<IIII", 2000, len(item) + 32, 1, flags << 29) + bytes(8)
        for flags in (5, 4)
    ]
    path.write_bytes(
        plain + at_both_ends[0] + item + at_both_ends[1] + b"TAG" + NUMBER.ljust(125, b"\0")
    )

    assert b"".join(audio.read(audio.examine(path))) == plain


@pytest.mark.parametrize(
    ("day", "months", "ends"),
    [
        (date(2026, 5, 24), 6, "2026-11-24T22:59:59+00:00"),  # winter in Paris
        (date(2026, 1, 15), 6, "2026-07-15T21:59:59+00:00"),  # summer in Paris
        (date(2026, 8, 31), 6, "2027-02-28T22:59:59+00:00"),
        (date(2027, 8, 31), 6, "2028-02-29T22:59:59+00:00"),
        (date(2026, 11, 30), 3, "2027-02-28T22:59:59+00:00"),
    ],
)
def test_a_recording_ends_with_the_same_day_months_later(
    centre: Path, day: date, months: int, ends: str
) -> None:
    assert deletion.find_end(day, months).isoformat() == ends


def test_the_oldest_day_that_may_still_be_kept_is_the_first_whose_end_has_not_come() -> None:
    # Six months before 31 August is the end of February: what came on the 28th may
    # still be there, to the end of 28 August.
    assert deletion.find_oldest_day(date(2026, 8, 28), 6) == date(2026, 2, 28)
    assert deletion.find_oldest_day(date(2026, 8, 29), 6) == date(2026, 3, 1)
    assert deletion.find_oldest_day(date(2026, 11, 24), 6) == date(2026, 5, 24)
    assert deletion.find_oldest_day(date(2026, 11, 24), 13) == date(2025, 10, 24)


def test_a_small_file_of_silence_does_not_fill_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audio, "MIN_BYTES_FOR_RATIO", 8 << 20)
    bomb, plain = tmp_path / "bomb.flac", tmp_path / "plain.flac"
    with soundfile.SoundFile(bomb, "w", 96_000, 8, "PCM_16", format="FLAC") as file:
        for _second in range(8):  # 12 MB, from 6 kB
            file.write(numpy.zeros((96_000, 8), "int16"))
    with soundfile.SoundFile(plain, "w", 8_000, 1, "PCM_16", format="FLAC") as file:
        file.write(numpy.zeros(8_000 * 500, "int16"))  # a silence of eight minutes is kept

    with pytest.raises(audio.Unfit) as unfit:
        audio.examine(bomb)
    assert unfit.value.reason == "unpacks_too_far"
    assert audio.examine(plain).seconds == 500


@pytest.mark.parametrize(
    ("rate", "channels"),
    [(0, 1), (2**31 - 1, 1), (2**32 - 1, 2), (8_000, 0), (8_000, 1_024), (8_000, 65_535)],
)
def test_a_head_that_claims_what_no_telephony_writes_is_damaged(
    rate: int, channels: int, tmp_path: Path
) -> None:
    form = struct.pack("<IHHIIHH", 16, 1, channels, rate, 0, channels * 2 & 0xFFFF, 16)
    data = bytes(200_000)
    path = tmp_path / "a.wav"
    path.write_bytes(
        b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + form + b"data"
        + struct.pack("<I", len(data)) + data
    )  # fmt: skip

    with pytest.raises(audio.Unfit) as unfit:
        audio.examine(path)
    assert unfit.value.reason == "damaged_audio"


def spoil(content: bytes, chance: random.Random) -> bytes:
    """Change lengths, bits and pieces of a file, most of them in its head."""
    spoilt = bytearray(content)
    for _ in range(chance.randint(1, 6)):
        place = chance.randrange(min(len(spoilt), chance.choice((60, 400, 9_999_999))) or 1)
        match chance.randrange(5):
            case 0 if spoilt:
                spoilt[place] ^= 1 << chance.randrange(8)
            case 1:
                spoilt[place : place + 4] = chance.choice((b"\xff", b"\0", b"\x7f")) * 4
            case 2:
                del spoilt[place : place + chance.randint(1, 40)]
            case 3:
                spoilt[place:place] = spoilt[place : place + chance.randint(1, 40)]
            case 4:
                del spoilt[max(place, 12) :]
    return bytes(spoilt) or b"R"


@pytest.mark.parametrize("count", [20, pytest.param(count_seeds(2_000), marks=pytest.mark.long)])
@pytest.mark.parametrize("form", sounds.FORMATS)
def test_spoilt_audio_is_kept_or_refused_and_harms_nobody(
    form: str, count: int, tmp_path: Path
) -> None:
    """In a process of its own: a decoder that crashed would take the server with it."""
    whole = sounds.make(tmp_path / "whole", form, seconds=0.3).read_bytes()
    path, note = tmp_path / "spoilt", tmp_path / "note"
    child = os.fork()
    if not child:
        status = 1
        try:
            resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
            for seed in range(count):
                note.write_text(str(seed))
                path.write_bytes(spoil(whole, random.Random(f"{form} {seed}")))
                with suppress(audio.Unfit):
                    found = audio.examine(path)
                    assert 0 < found.seconds <= audio.MAX_SECONDS
                    assert sum(map(len, audio.read(found))) < 64 << 20
            status = 0
        except BaseException:
            note.write_text(f"{note.read_text()}: {traceback.format_exc()}")
        os._exit(status)
    _child, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, f"{form}, seed {note.read_text()}"
