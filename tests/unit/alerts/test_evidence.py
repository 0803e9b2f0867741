"""Evidence: clips copied and re-encoded, masks, pictures, hashes, failures, retention."""

from __future__ import annotations

import hashlib
import stat
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from urllib.parse import urlsplit

import av
import numpy as np
import pytest
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from PIL import Image

from streamproc.alerts.clip import ClipError, Pixels, copy_mp4, decode_at, encode_mp4
from streamproc.alerts.evidence import EvidenceWriter
from streamproc.alerts.message import EvidenceRef
from streamproc.annexb import length_size, parameter_sets, units
from streamproc.config import Area, CameraSettings, EvidenceSettings
from streamproc.testing_alerts import START, verdict_at
from streamproc.types import Packet, PacketBatch, StreamInfo

WIDTH, HEIGHT, FPS = 320, 240, 10
CAMERA = CameraSettings(id="gate", name="Gate", main="rtsp://cam/1", timezone="Europe/Zurich")
MASKED = CAMERA.model_copy(
    update={"privacy_masks": (Area(name="window", polygon=((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))),)}
)


def blank_left(picture: Pixels) -> Pixels:
    picture = picture.copy()
    picture[:, : picture.shape[1] // 2] = 0
    return picture


def footage(seconds: int = 2, encoder: str = "libx264", *, mp4: bool = False) -> PacketBatch:
    """Grey pictures that brighten by 10 a frame; as a camera sends them, or as a recording keeps them."""
    context = av.CodecContext.create(encoder, "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    context.framerate, context.time_base, context.gop_size = Fraction(FPS), Fraction(1, FPS), FPS
    context.options = {"x265-params": "log-level=none"} if encoder == "libx265" else {"bf": "0"}
    if mp4:
        context.flags |= Flags.global_header
    encoded = []
    for number in range(seconds * FPS):
        picture = VideoFrame.from_ndarray(np.full((HEIGHT, WIDTH, 3), 10 + 10 * number, np.uint8), format="rgb24")
        picture = picture.reformat(format="yuv420p")
        picture.pts, picture.time_base = number, Fraction(1, FPS)
        encoded += context.encode(picture)
    encoded += context.encode(None)
    name = {"libx264": "h264", "libx265": "hevc"}.get(encoder, encoder)
    packets = tuple(
        Packet("gate", 1, (p.pts or 0) / FPS, (p.dts or 0) / FPS, START, p.is_keyframe, bytes(p)) for p in encoded
    )
    return PacketBatch(StreamInfo(name, WIDTH, HEIGHT, FPS, bytes(context.extradata or b"")), packets)


def as_recorded(batch: PacketBatch, path: Path) -> PacketBatch:
    """The same, demuxed from an MP4 file: units with their length, configuration apart."""
    copy_mp4(batch, path)
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        demuxed = [p for p in container.demux(video) if p.size]
        extradata = bytes(video.codec_context.extradata or b"")
    packets = tuple(replace(p, data=bytes(d)) for p, d in zip(batch.packets, demuxed, strict=True))
    return PacketBatch(replace(batch.stream, extradata=extradata), packets)


def brightness(path: Path) -> list[tuple[int, int]]:
    """Of each picture of a clip: the left half's and the right half's."""
    with av.open(str(path)) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    half = pictures[0].shape[1] // 2
    return [(int(p[:, : half - 8].mean()), int(p[:, half + 8 :].mean())) for p in pictures]


def local(uri: str | None) -> Path:
    assert uri is not None
    assert uri.startswith("file:///")
    return Path(urlsplit(uri).path)


@pytest.mark.parametrize("encoder", ["libx264", "libx265", "mpeg4"])
def test_a_clip_is_copied_without_encoding(tmp_path: Path, encoder: str) -> None:
    batch = footage(encoder=encoder)
    copy_mp4(batch, tmp_path / "clip.mp4")
    shades = brightness(tmp_path / "clip.mp4")
    assert len(shades) == 2 * FPS
    assert shades[12][0] == pytest.approx(130, abs=4)
    with av.open(str(tmp_path / "clip.mp4")) as container:
        assert container.streams.video[0].codec_context.name.startswith(batch.stream.codec)
        assert float(container.duration or 0) / 1e6 == pytest.approx(2.0, abs=0.15)


@pytest.mark.parametrize("encoder", ["libx264", "libx265"])
def test_a_recordings_packets_are_copied_and_decoded_as_well(tmp_path: Path, encoder: str) -> None:
    recorded = as_recorded(footage(encoder=encoder), tmp_path / "recording.mp4")
    assert length_size(recorded.stream) == 4
    copy_mp4(recorded, tmp_path / "clip.mp4")
    assert len(brightness(tmp_path / "clip.mp4")) == 2 * FPS
    assert int(decode_at(recorded, 1.2, None).mean()) == pytest.approx(130, abs=4)


def test_a_clip_may_begin_anywhere_in_a_run(tmp_path: Path) -> None:
    batch = footage(2)
    later = PacketBatch(batch.stream, tuple(batch.packets[FPS:]))
    copy_mp4(later, tmp_path / "clip.mp4")
    assert len(brightness(tmp_path / "clip.mp4")) == FPS


def test_a_masked_clip_shows_nothing_under_the_mask(tmp_path: Path) -> None:
    encode_mp4(footage(), tmp_path / "clip.mp4", blank_left)
    shades = brightness(tmp_path / "clip.mp4")
    assert len(shades) >= 2 * FPS - 1
    assert max(left for left, _ in shades) <= 3
    assert shades[12][1] == pytest.approx(130, abs=6)


def test_the_picture_at_a_time_is_the_one_shown_then() -> None:
    batch = footage()
    assert int(decode_at(batch, 0.0, None).mean()) == pytest.approx(10, abs=4)
    assert int(decode_at(batch, 1.35, None).mean()) == pytest.approx(140, abs=4)
    assert int(decode_at(batch, 99.0, None).mean()) == pytest.approx(200, abs=4)
    assert decode_at(batch, 1.0, blank_left)[:, :100].max() == 0


def test_packets_that_cannot_be_used_are_a_clip_error(tmp_path: Path) -> None:
    broken = footage()
    noise = tuple(replace(p, data=b"\x00\x01noise") for p in broken.packets)
    for bad in (PacketBatch(broken.stream, noise), PacketBatch(replace(broken.stream, codec="vp9"), broken.packets)):
        with pytest.raises(ClipError):
            copy_mp4(bad, tmp_path / "clip.mp4")
        with pytest.raises(ClipError):
            decode_at(bad, 1.0, None)


def test_units_longer_than_their_packet_are_refused() -> None:
    assert units(b"\x00\x00\x00\x02ab\x00\x00\x00\x01c", 4) == b"\x00\x00\x00\x01ab\x00\x00\x00\x01c"
    assert units(b"anything", None) == b"anything"
    with pytest.raises(ValueError, match="longer"):
        units(b"\x00\x00\x00\x09ab", 4)
    with pytest.raises(ValueError, match="short"):
        parameter_sets(StreamInfo("h264", 2, 2, None, b"\x01\x64\x00\x1f\xff\xe1\x00\x40abc"))


@pytest.fixture
def settings(tmp_path: Path) -> EvidenceSettings:
    return EvidenceSettings(directory=tmp_path / "evidence", retention_days=30)


PICTURE = np.full((HEIGHT // 2, WIDTH // 2, 3), 77, np.uint8)


def test_the_evidence_of_a_message_is_a_picture_and_a_clip_with_their_hashes(settings: EvidenceSettings) -> None:
    writer = EvidenceWriter(settings, CAMERA)
    made = writer.write("abc", 2, verdict_at(1.2), "warning", START, picture=PICTURE, packets=footage())
    assert made.degraded == ()
    snapshot, clip = local(made.ref.snapshot_uri), local(made.ref.clip_uri)
    assert snapshot == settings.directory / "gate" / "2026-11-21" / "abc-2.jpg"
    assert hashlib.sha256(snapshot.read_bytes()).hexdigest() == made.ref.sha256.snapshot
    assert hashlib.sha256(clip.read_bytes()).hexdigest() == made.ref.sha256.clip
    with Image.open(snapshot) as image:
        assert image.width == 960
        assert image.height > 720  # the strip lies beneath the picture
        # Decoded at the camera's size for the window's moment, not the small analysis picture.
        assert image.getpixel((800, 600))[0] == pytest.approx(130, abs=6)  # type: ignore[index]
    assert len(brightness(clip)) == 2 * FPS
    assert not list(settings.directory.rglob("*.part"))


def test_the_analysis_picture_stands_in_where_packets_cannot_be_decoded(settings: EvidenceSettings) -> None:
    batch = footage()
    noise = PacketBatch(batch.stream, tuple(replace(p, data=b"\x00\x01noise") for p in batch.packets))
    made = EvidenceWriter(settings, CAMERA).write(
        "abc", 1, verdict_at(1.2), "warning", START, picture=PICTURE, packets=noise
    )
    with Image.open(local(made.ref.snapshot_uri)) as image:
        assert image.getpixel((800, 600))[0] == pytest.approx(77, abs=4)  # type: ignore[index]
    assert made.ref.clip_uri is None
    assert [text.split(":")[0] for text in made.degraded] == ["no clip"]
    assert not list(settings.directory.rglob("*.part"))


def test_the_analysis_picture_stands_in_where_the_last_keyframe_is_too_long_ago(
    settings: EvidenceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = EvidenceWriter(settings, CAMERA)

    def shade(pts_s: float, picture: Pixels | None) -> int:
        made = writer.write("abc", 1, verdict_at(pts_s), "warning", START, picture=picture, packets=footage())
        assert made.degraded == ()
        with Image.open(local(made.ref.snapshot_uri)) as image:
            return int(image.getpixel((800, 600))[0])  # type: ignore[index]

    monkeypatch.setattr("streamproc.alerts.evidence.MOST_DECODED_PX", 4 * WIDTH * HEIGHT)
    assert shade(1.3, PICTURE) == pytest.approx(140, abs=6)
    assert shade(1.4, PICTURE) == pytest.approx(77, abs=4)
    assert shade(1.4, None) == pytest.approx(150, abs=6)


def test_a_masked_camera_shows_unmasked_pixels_nowhere(settings: EvidenceSettings) -> None:
    writer = EvidenceWriter(settings, MASKED, blank_left)
    quiet = replace(verdict_at(1.2), objects=(), measurements=())
    made = writer.write("abc", 1, quiet, "warning", START, packets=footage())
    assert max(left for left, _ in brightness(local(made.ref.clip_uri))) <= 3
    with Image.open(local(made.ref.snapshot_uri)) as image:
        assert np.asarray(image)[:700, :460].max() <= 8
        assert image.getpixel((800, 400))[0] > 100  # type: ignore[index]


def test_masks_without_the_means_to_apply_them_are_refused(settings: EvidenceSettings) -> None:
    with pytest.raises(ValueError, match="privacy masks"):
        EvidenceWriter(settings, MASKED)


def test_other_codecs_are_encoded_anew(settings: EvidenceSettings) -> None:
    made = EvidenceWriter(settings, CAMERA).write("abc", 1, None, "warning", START, packets=footage(encoder="msmpeg4"))
    assert made.ref.snapshot_uri is None
    assert brightness(local(made.ref.clip_uri))[12][0] == pytest.approx(130, abs=6)


@pytest.mark.parametrize("batch", [None, PacketBatch(StreamInfo("h264", WIDTH, HEIGHT, FPS, b""), ())])
def test_without_packets_there_is_a_picture_and_a_reason(settings: EvidenceSettings, batch: PacketBatch | None) -> None:
    made = EvidenceWriter(settings, CAMERA).write(
        "abc", 1, verdict_at(1.2), "warning", START, picture=PICTURE, packets=batch
    )
    assert made.ref.snapshot_uri is not None
    assert made.degraded == ("no clip: no packets of that time are held",)


def test_a_disk_that_cannot_be_written_costs_the_evidence_only(settings: EvidenceSettings) -> None:
    settings.directory.write_text("in the way")
    made = EvidenceWriter(settings, CAMERA).write(
        "abc", 1, verdict_at(1.2), "warning", START, picture=PICTURE, packets=footage()
    )
    assert made.ref == EvidenceRef()
    assert len(made.degraded) == 2


def test_a_fault_in_drawing_costs_the_evidence_only(settings: EvidenceSettings) -> None:
    wrong = np.zeros((4, 4), np.float64)
    made = EvidenceWriter(settings, CAMERA).write("abc", 1, verdict_at(1.2), "info", START, picture=wrong)
    assert made.ref == EvidenceRef()
    assert made.degraded[0].startswith("no snapshot: ")


def test_a_disk_that_is_nearly_full_is_left_to_the_outbox(
    settings: EvidenceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamproc.alerts.evidence.LEAST_FREE_BYTES", 1 << 60)
    made = EvidenceWriter(settings, CAMERA).write("abc", 1, verdict_at(1.2), "warning", START, packets=footage())
    assert made.ref == EvidenceRef()
    assert made.degraded == ("no snapshot: the disk is nearly full", "no clip: the disk is nearly full")
    assert [path for path in settings.directory.rglob("*") if path.is_file()] == []


def test_only_its_owner_can_see_evidence(settings: EvidenceSettings) -> None:
    settings.directory.mkdir(mode=0o755)
    day = settings.directory / "gate" / "2026-11-21"
    day.mkdir(parents=True)
    (day / "abc-1.mp4.part").touch(0o644)  # left by a process that was killed
    made = EvidenceWriter(settings, CAMERA).write("abc", 1, verdict_at(1.2), "warning", START, packets=footage())
    for uri in (made.ref.snapshot_uri, made.ref.clip_uri):
        assert stat.S_IMODE(local(uri).stat().st_mode) == 0o600
    other = EvidenceWriter(settings, CAMERA.model_copy(update={"id": "yard"}))
    made = other.write("abc", 1, None, "warning", START, packets=footage())
    folder = local(made.ref.clip_uri).parent
    assert [stat.S_IMODE(one.stat().st_mode) for one in (folder, folder.parent)] == [0o700, 0o700]
    assert stat.S_IMODE(settings.directory.stat().st_mode) == 0o755  # somebody chose that


def test_an_update_needs_no_clip(settings: EvidenceSettings) -> None:
    writer = EvidenceWriter(settings, CAMERA)
    made = writer.write("abc", 2, verdict_at(1.2), "warning", START, packets=footage(), with_clip=False)
    assert made.ref.snapshot_uri is not None
    assert made.ref.clip_uri is None
    assert made.degraded == ()
    assert not list(settings.directory.rglob("*.mp4"))


def test_only_the_beginning_is_encoded_again(settings: EvidenceSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamproc.alerts.evidence.MOST_ENCODED_S", 1.0)
    made = EvidenceWriter(settings, MASKED, blank_left).write("abc", 1, None, "warning", START, packets=footage())
    whole = len(footage().packets)
    assert 0 < len(brightness(local(made.ref.clip_uri))) <= whole // 2 + 1
