"""NanoDet's convolutions in 8 bits: makes the file that comes with the package, and holds it against the original.

    python tests/benchmarks/nanodet_8bit.py [--write FILE] [--ped2 FOLDER]

The original is fetched as it is published (144 MB on first use) and converted. Ranges of the activations (their
99.999th percentile) are taken from every eighth of the first 480 pictures of vtest.avi, on which nothing is scored;
weights have 7 bits of 8, by channel, so that processors without VNNI do not saturate in their sums. What both find is
compared on the rest of vtest.avi, and with ``--ped2`` (a folder with test/*.mp4) there too: a box counts as found
again where one of its class overlaps it by half. One thread, processor time, both in turns.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

from streamproc.models.catalog import NANODET_ORIGINAL
from streamproc.models.nanodet import TEXTURE, Detection, NanoDet, prepared
from streamproc.models.store import ModelStore
from streamproc.testing_footage import Pixels, read_pictures

RANGES = slice(0, 480, 8)
HELD_OUT = slice(480, None, 4)


class Pictures(CalibrationDataReader):  # type: ignore[misc]
    """What the ranges are taken from."""

    def __init__(self, pictures: Sequence[Pixels], name: str) -> None:
        self._feeds = iter([{name: prepared(picture)} for picture in pictures])

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next picture, None after the last."""
        return next(self._feeds, None)


def main() -> None:
    """Make the file, print how far it agrees."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--write", type=Path, help="where the 8-bit model goes")
    options.add_argument("--ped2", type=Path, help="folder with test/*.mp4")
    arguments = options.parse_args()
    store, originals = ModelStore(), ModelStore(catalog=(NANODET_ORIGINAL,))
    original = originals.ensure(NANODET_ORIGINAL.name)
    vtest = list(read_pictures(store.ensure("vtest")))
    if arguments.write:
        quantise(original, arguments.write, vtest[RANGES])
    with tempfile.TemporaryDirectory() as folder:
        exact = NanoDet(_with_texture(onnx.load(original), Path(folder) / "original.onnx"))
    small = NanoDet(arguments.write or store.ensure("nanodet"))
    compare("vtest.avi, pictures that no range was taken from", exact, small, vtest[HELD_OUT])
    if arguments.ped2:
        clips = sorted((arguments.ped2 / "test").glob("*.mp4"))
        pictures = [picture for clip in clips for picture in list(read_pictures(clip))[::6]]
        compare(f"UCSD Ped2, {len(clips)} test clips, every sixth picture", exact, small, pictures)


def quantise(original: Path, target: Path, pictures: Sequence[Pixels]) -> None:
    """Write ``original`` with 8-bit convolutions, texture among its outputs."""
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "plain.onnx"
        onnx.save(_scaled_by_factors(_folded(original, Path(folder))), plain)
        quantize_static(
            plain,
            target,
            Pictures(pictures, onnx.load(plain).graph.input[0].name),
            quant_format=QuantFormat.QOperator,
            op_types_to_quantize=["Conv"],
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.Percentile,
        )
    model = onnx.load(target)
    used = {name for node in model.graph.node for name in node.input}
    for unused in [one for one in model.graph.initializer if one.name not in used]:
        model.graph.initializer.remove(unused)
    _with_texture(model, target)


def _with_texture(model: onnx.ModelProto, target: Path) -> Path:
    """Where ``model`` is, with the layer among its outputs that looks are compared by."""
    model.graph.output.append(helper.make_tensor_value_info(TEXTURE, onnx.TensorProto.FLOAT, (1, 64, 52, 52)))
    onnx.save(model, target)
    return target


def _folded(original: Path, folder: Path) -> onnx.ModelProto:
    """With biases and paddings taken into the convolutions, which ONNX Runtime does where it loads a model."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(folder / "folded.onnx")
    ort.InferenceSession(original, options, providers=["CPUExecutionProvider"])
    return onnx.load(options.optimized_model_filepath)


def _scaled_by_factors(model: onnx.ModelProto) -> onnx.ModelProto:
    """Resizes told by factors: the calibrator's copy of the graph does not keep sizes of two axes."""
    known = onnx.shape_inference.infer_shapes(model).graph.value_info
    shapes = {value.name: [axis.dim_value for axis in value.type.tensor_type.shape.dim] for value in known}
    constants = {one.name: one for one in model.graph.initializer}
    for node in (node for node in model.graph.node if node.op_type == "Resize"):
        sizes = numpy_helper.to_array(constants[node.input[3]])
        factors = np.array([1.0, 1.0, *(sizes / np.array(shapes[node.input[0]][2:]))], np.float32)
        model.graph.initializer.append(numpy_helper.from_array(factors, f"{node.name}/factors"))
        node.input[:] = [node.input[0], "", f"{node.name}/factors"]
        node.attribute.remove(next(one for one in node.attribute if one.name == "axes"))
    return model


def compare(what: str, exact: NanoDet, small: NanoDet, pictures: Sequence[Pixels]) -> None:
    """Print what both find and take."""
    ms = {id(exact): 0.0, id(small): 0.0}
    counts: dict[str, list[int]] = {}
    overlaps: list[float] = []
    textures: list[float] = []
    found = [0, 0]
    for picture in pictures:
        looks = []
        for detector in (exact, small):
            began = time.process_time()
            looks.append(detector.look(picture))
            ms[id(detector)] += 1e3 * (time.process_time() - began) / len(pictures)
        (wanted, texture), (got, other) = looks
        assert texture is not None
        assert other is not None
        overlaps += _again(wanted, got)
        textures.append(float(np.linalg.norm(texture - other) / np.linalg.norm(texture)))
        for index, objects in enumerate((wanted, got)):
            found[index] += len(objects)
            for one in objects:
                counts.setdefault(one.label, [0, 0])[index] += 1
    before_ms, after_ms = ms[id(exact)], ms[id(small)]
    again = len(overlaps)
    print(what)
    print(f"  {len(pictures)} pictures: {before_ms:.1f} ms, 8 bits {after_ms:.1f} ({after_ms / before_ms:.2f})")
    print(
        "  " + ", ".join(f"{name} {a} and {b}" for name, (a, b) in sorted(counts.items(), key=lambda one: -one[1][0]))
    )
    print(f"  {again / found[0]:.3f} of what the original finds, and {1 - again / found[1]:.3f} that it does not find")
    print(f"  boxes overlap by {np.mean(overlaps):.3f}, texture differs by {np.mean(textures):.2f} of its length")


def _again(wanted: Sequence[Detection], got: Sequence[Detection]) -> Iterator[float]:
    """Overlaps of what is found again, each box used once."""
    left = list(got)
    for one in wanted:
        same = [(_overlap(one, other), index) for index, other in enumerate(left) if other.label == one.label]
        best, index = max(same, default=(0.0, -1))
        if best > 0.5:
            del left[index]
            yield best


def _overlap(one: Detection, other: Detection) -> float:
    a, b = one.box_norm, other.box_norm
    both = max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    return both / (sum((c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)) - both)


if __name__ == "__main__":
    main()
