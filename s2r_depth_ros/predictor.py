"""Images to metric depth: the one place that knows sizes and focal lengths."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
import os
from typing import NamedTuple, TYPE_CHECKING

import numpy as np

from . import depth_range
from .engine import Engine, load_engine, Settings, Task
from .sizes import check_network_size, Fit
from .weights_info import PUBLISHED, WeightsInfo

if TYPE_CHECKING:
    import torch


class PredictedMaps(NamedTuple):
    """Depth in metres, structure map and attention map, each (H, W) float32 at image size."""

    depth_m: np.ndarray
    structure: np.ndarray
    attention: np.ndarray


class DepthPredictor:
    """
    Runs S2R-DepthNet on images of any size; needs no ROS.

    :param weights: None or ``'outdoor'`` for the bundled outdoor weights, ``'indoor'``, a
        safetensors or an onnx file, a folder with the four published ``.pth`` files, or
        ``'random'``.
    :param device: ``'auto'`` (a GPU if there is one), ``'cpu'``, ``'cuda'`` or ``'cuda:N'``.
    :param precision: ``'float32'``, ``'float16'`` (on a GPU) or ``'bfloat16'`` (with torch).
    :param network_size_px: (height, width) of the network's input, multiples of 16 and at least
        96; None takes as many pixels as the training size, in the shape of the image.
    :param published: what to assume of published ``.pth`` files, which do not say their range.
    :param threads: CPU threads of the network; 0 for as many as this process has cores.
    :param cuda_graphs: with torch on a GPU, record the network for each size and replay it.
    :param engine: ``'torch'``, ``'onnxruntime'``, or ``'auto'``: ONNX Runtime on a CPU, and on a
        GPU where it offers TensorRT, else torch.
    :param log: takes a sentence on what takes long or is not as asked for; None for the logger
        ``s2r_depth_ros.engine``.
    :raises WeightsError: if the weights can not be used; it names the file and the fault.
    :raises ValueError: if engine, device, precision or size can not be used.
    """

    def __init__(
        self, weights: str | os.PathLike | None = None, device: str = 'auto',
        precision: str = 'float32', network_size_px: tuple[int, int] | None = None,
        published: WeightsInfo = PUBLISHED, threads: int = 0, cuda_graphs: bool = False,
        engine: str = 'auto', log: Callable[[str], None] | None = None,
    ):
        check_network_size(network_size_px)
        settings = Settings(device, precision, threads, cuda_graphs)
        if log is not None:
            settings = replace(settings, log=log)
        self._use(load_engine(weights, settings, engine, published), network_size_px)

    @classmethod
    def of(
        cls, network: torch.nn.Module, info: WeightsInfo, device: str = 'auto', threads: int = 0,
    ) -> DepthPredictor:
        """
        Return a predictor that runs another network in the place of S2R-DepthNet, with torch.

        :param network: called as ``S2RDepthNet`` is; the predictor runs a copy of it.
        :param info: what it was trained for.
        :param device: as for the constructor.
        :param threads: likewise.
        """
        from .engine.torch_engine import TorchEngine

        predictor = cls.__new__(cls)
        predictor._use(TorchEngine(network, info, Settings(device, threads=threads)), None)
        return predictor

    def _use(self, engine: Engine, network_size_px: tuple[int, int] | None) -> None:
        self.engine = engine
        self.info = engine.info
        self.network_size_px = network_size_px

    def predict(
        self, images: Sequence[np.ndarray],
        intrinsics: Sequence[np.ndarray | None] | None = None,
    ) -> list[np.ndarray]:
        """
        Return the depth of each image.

        :param images: (H, W, 3) uint8 RGB each, of any sizes; those that meet the network at one
            size run as one batch.
        :param intrinsics: for each image its 3x3 matrix in pixels, or None where unknown. Depth
            scales with the focal length over the training focal length, both at network size:
            of two cameras that see the same pixels, the longer lens is farther away. Without
            intrinsics the training focal length is assumed.
        :returns: for each image (H, W) float32 metres along the optical axis.
        :raises ValueError: if an image or its intrinsics are of another form.
        """
        return [depth_m for depth_m, in self._run(images, intrinsics, with_maps=False)]

    def predict_maps(
        self, images: Sequence[np.ndarray],
        intrinsics: Sequence[np.ndarray | None] | None = None,
    ) -> list[PredictedMaps]:
        """Return depth, structure map and attention map of each image, as :meth:`predict`."""
        return [PredictedMaps(*maps) for maps in self._run(images, intrinsics, with_maps=True)]

    def fit(self, image_size_px: tuple[int, int]) -> Fit:
        """Return how an image of (height, width) is put into the network's input."""
        if self.network_size_px is not None:
            return Fit.fixed(image_size_px, self.network_size_px)
        return Fit.automatic(
            image_size_px, self.info.training_height_px * self.info.training_width_px)

    def far_m(
        self, image_size_px: tuple[int, int], intrinsics: np.ndarray | None = None,
    ) -> float:
        """
        Return from which depth on a prediction means far (sky) and is no measurement.

        :param image_size_px: (height, width) of the image.
        :param intrinsics: its 3x3 matrix as given to :meth:`predict`.
        :returns: metres, just below the top of the range of the network.
        """
        scale = self.focal_scale(self.fit(image_size_px), intrinsics)
        return depth_range.FAR_FRACTION * self.info.max_depth_m * scale

    def warm_up(self) -> None:
        """Run once, so that the first real image does not wait for caches and kernels."""
        size_px = self.network_size_px or (
            self.info.training_height_px, self.info.training_width_px)
        self.predict([np.zeros((*size_px, 3), np.uint8)])

    def focal_scale(self, fit: Fit, intrinsics: np.ndarray | None) -> float:
        """Return by how much the focal length scales the depth; 1 where it is unknown."""
        if intrinsics is None:
            return 1.0
        return float(intrinsics[0, 0]) * fit.scale / self.info.training_focal_px

    def _run(
        self, images: Sequence[np.ndarray],
        intrinsics: Sequence[np.ndarray | None] | None, with_maps: bool,
    ) -> list[list[np.ndarray]]:
        """Return of each image the depth, and with maps the structure and attention maps."""
        for image in images:
            _check_image(image)
        matrices = list(intrinsics) if intrinsics is not None else [None] * len(images)
        if len(matrices) != len(images):
            raise ValueError(f'got {len(images)} images but {len(matrices)} intrinsics')
        for matrix in matrices:
            _check_intrinsics(matrix)
        fits = [self.fit(image.shape[:2]) for image in images]
        return self.engine.run([
            Task(image, fit, self.info.max_depth_m * self.focal_scale(fit, matrix))
            for image, fit, matrix in zip(images, fits, matrices)], with_maps)


def _check_image(image: np.ndarray) -> None:
    if not (isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3
            and image.shape[2] == 3 and image.size):
        raise ValueError(
            'expected each image as a (H, W, 3) uint8 RGB array, got '
            f'{getattr(image, "dtype", type(image).__name__)} {getattr(image, "shape", "")}')


def _check_intrinsics(matrix: np.ndarray | None) -> None:
    if matrix is None:
        return
    if np.shape(matrix) != (3, 3) or not np.isfinite(matrix).all() or matrix[0, 0] <= 0:
        raise ValueError(
            f'expected 3x3 intrinsics with a positive focal length in pixels, got {matrix!r}')
