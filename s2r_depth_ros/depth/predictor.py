"""The predictor: images to metric depth, with input size and focal length."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
import os
from typing import Any, cast, NamedTuple, overload, TYPE_CHECKING

import numpy as np

from ..engine import depth_range, DepthRequest, Engine, JUDGED, load_engine, Settings
from ..engine.letterbox import check_network_size, Letterbox
from ..weights.info import PUBLISHED, WeightsInfo
from .sharpening import sharpened

if TYPE_CHECKING:
    import torch


class PredictedMaps(NamedTuple):
    """Depth in metres, structure map and attention map, each (H, W) float32 at image size."""

    depth_m: np.ndarray
    structure: np.ndarray
    attention: np.ndarray


class Prediction(NamedTuple):
    """
    Depth in metres, and what was asked for beside it, each (H, W) float32 at image size.

    ``log_error`` is the logarithm of the expected error of ln(depth). ``ground`` is the
    probability that the pixel shows the ground.
    """

    depth_m: np.ndarray
    structure: np.ndarray | None = None
    attention: np.ndarray | None = None
    log_error: np.ndarray | None = None
    ground: np.ndarray | None = None


class DepthPredictor:
    """
    Runs S2R-DepthNet on images of any size; needs no ROS.

    ``DepthPredictor(network, info)`` runs a copy of a network, with torch; :meth:`from_weights`
    loads one. ``DepthPredictor(weights, ...)`` is short for the latter, and ``DepthPredictor()``
    for the bundled outdoor weights.

    Waiting threads of PyTorch take the CPU from other programs. To prevent this, set
    ``OMP_WAIT_POLICY=PASSIVE`` and ``GOMP_SPINCOUNT=1000`` before torch is imported.
    :func:`s2r_depth_ros.environment.set_up_process` sets both, as the node does.

    :param network: a network with the interface of ``S2RDepthNet``, or a loaded engine.
        ``weights``, as for :meth:`from_weights`, can replace it.
    :param info: metadata of the training of the network; an engine has its own.
    :param device: this and all other parameters are those of :meth:`from_weights`.
    """

    @overload
    def __init__(
        self,
        network: torch.nn.Module | Engine,
        info: WeightsInfo | None = None,
        device: str = 'auto',
        precision: str = 'float32',
        network_size_px: tuple[int, int] | None = None,
        threads: int = 0,
        cuda_graphs: bool = False,
        log: Callable[[str], None] | None = None,
    ) -> None: ...

    @overload
    def __init__(
        self,
        weights: str | os.PathLike | None = None,
        device: str = 'auto',
        precision: str = 'float32',
        network_size_px: tuple[int, int] | None = None,
        published: WeightsInfo = PUBLISHED,
        threads: int = 0,
        cuda_graphs: bool = False,
        engine: str = 'auto',
        log: Callable[[str], None] | None = None,
    ) -> None: ...

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.engine: Engine
        self.network_size_px: tuple[int, int] | None
        first = arguments[0] if arguments else options.get('network')
        if first is None or isinstance(first, (str, os.PathLike)):
            predictor = DepthPredictor.from_weights(*arguments, **options)
            self.engine, self.network_size_px = predictor.engine, predictor.network_size_px
        else:
            self.engine, self.network_size_px = _engine_of(*arguments, **options)
        self.info = self.engine.info

    @classmethod
    def from_weights(
        cls,
        weights: str | os.PathLike | None = None,
        device: str = 'auto',
        precision: str = 'float32',
        network_size_px: tuple[int, int] | None = None,
        published: WeightsInfo = PUBLISHED,
        threads: int = 0,
        cuda_graphs: bool = False,
        engine: str = 'auto',
        log: Callable[[str], None] | None = None,
    ) -> DepthPredictor:
        """
        Return a predictor that runs the network of these weights.

        :param weights: None or ``'outdoor'`` for the bundled outdoor weights, ``'indoor'``, a
            safetensors or an onnx file, a folder with the four published ``.pth`` files, or
            ``'random'``.
        :param device: ``'auto'`` (a GPU if there is one), ``'cpu'``, ``'cuda'`` or ``'cuda:N'``.
        :param precision: ``'float32'``, ``'float16'`` (on a GPU) or ``'bfloat16'`` (with torch).
        :param network_size_px: (height, width) of the network's input, multiples of 16 and at
            least 96; None means the area of the training images and the aspect ratio of the image.
        :param published: metadata of published ``.pth`` files, which contain none.
        :param threads: CPU threads of the network; 0 for as many as this process has cores.
        :param cuda_graphs: with torch on a GPU, record the network for each size and replay it.
        :param engine: ``'torch'``, ``'onnxruntime'``, or ``'auto'``: ONNX Runtime on a CPU, and on
            a GPU where it offers TensorRT, else torch.
        :param log: called with one sentence for each slow step and each fallback; None takes the
            logger ``s2r_depth_ros.engine``.
        :raises WeightsError: if the weights can not be used; it names the file and the fault.
        :raises ValueError: if engine, device, precision or size can not be used.
        """
        check_network_size(network_size_px)
        settings = _settings(device, precision, threads, cuda_graphs, log)
        loaded = load_engine(weights, settings, engine, published)
        return cls(loaded, network_size_px=network_size_px)

    def predict(
        self, images: Sequence[np.ndarray], intrinsics: Sequence[np.ndarray | None] | None = None
    ) -> list[np.ndarray]:
        """
        Return the depth of each image.

        :param images: (H, W, 3) uint8 RGB each, of any sizes; images with the same input size form
            one batch.
        :param intrinsics: for each image its 3x3 matrix in pixels, or None where unknown. Depth
            scales with the focal length over the training focal length, both at network size:
            of two cameras that see the same pixels, the longer lens is farther away. Without
            intrinsics the training focal length is assumed.
        :returns: for each image (H, W) float32 metres along the optical axis.
        :raises ValueError: if an image or its intrinsics have another shape or type.
        """
        return [prediction.depth_m for prediction in self.run(images, intrinsics)]

    def predict_maps(
        self, images: Sequence[np.ndarray], intrinsics: Sequence[np.ndarray | None] | None = None
    ) -> list[PredictedMaps]:
        """Return depth, structure map and attention map of each image, as :meth:`predict`."""
        return [
            PredictedMaps(*prediction[:3])  # type: ignore[arg-type]  # there are maps
            for prediction in self.run(images, intrinsics, with_maps=True)
        ]

    def letterbox(self, image_size_px: tuple[int, int]) -> Letterbox:
        """Return how an image of (height, width) is put into the network's input."""
        if self.network_size_px is not None:
            return Letterbox.fixed(image_size_px, self.network_size_px)
        return Letterbox.automatic(
            image_size_px, self.info.training_height_px * self.info.training_width_px
        )

    def far_m(self, image_size_px: tuple[int, int], intrinsics: np.ndarray | None = None) -> float:
        """
        Return the depth beyond which a prediction means far (sky) and is not a measurement.

        :param image_size_px: (height, width) of the image.
        :param intrinsics: its 3x3 matrix as given to :meth:`predict`.
        :returns: metres, just below the top of the range of the network.
        """
        scale = self.focal_scale(self.letterbox(image_size_px), intrinsics)
        return depth_range.FAR_FRACTION * self.info.max_depth_m * scale

    def warm_up(self) -> None:
        """Run once, so that the first real image does not wait for caches and kernels."""
        size_px = self.network_size_px or (
            self.info.training_height_px,
            self.info.training_width_px,
        )
        self.predict([np.zeros((*size_px, 3), np.uint8)])

    def focal_scale(self, letterbox: Letterbox, intrinsics: np.ndarray | None) -> float:
        """Return the factor of the focal length on the depth; 1 if it is unknown."""
        if intrinsics is None:
            return 1.0
        return float(intrinsics[0, 0]) * letterbox.scale / self.info.training_focal_px

    @property
    def has_judge(self) -> bool:
        """Whether the network can judge its depth."""
        return self.engine.has_judge

    def run(
        self,
        images: Sequence[np.ndarray],
        intrinsics: Sequence[np.ndarray | None] | None = None,
        with_maps: bool = False,
        judged: bool = False,
        sharp_edges: bool = True,
    ) -> list[Prediction]:
        """
        Return the depth of each image, and more.

        :param images: as for :meth:`predict`, as are ``intrinsics`` and the errors.
        :param with_maps: whether to return structure and attention.
        :param judged: whether to return the judgement, if the network has a judge.
        :param sharp_edges: whether to make steps of blurred outlines; see
            :func:`~.sharpening.sharpened`.
        """
        for image in images:
            _check_image(image)
        matrices = list(intrinsics) if intrinsics is not None else [None] * len(images)
        if len(matrices) != len(images):
            raise ValueError(f'got {len(images)} images but {len(matrices)} intrinsics')
        for matrix in matrices:
            _check_intrinsics(matrix)
        letterboxes = [self.letterbox(image.shape[:2]) for image in images]
        judged = judged and self.has_judge
        names = ['depth_m']
        names += ['structure', 'attention'] if with_maps else []
        names += JUDGED if judged else []
        results = self.engine.run(
            [
                DepthRequest(
                    image, letterbox, self.info.max_depth_m * self.focal_scale(letterbox, matrix)
                )
                for image, letterbox, matrix in zip(images, letterboxes, matrices)
            ],
            with_maps,
            judged,
        )
        predictions = [Prediction(**dict(zip(names, maps))) for maps in results]
        if not sharp_edges:
            return predictions
        return [
            prediction._replace(
                depth_m=sharpened(prediction.depth_m, image, letterbox.inner_size_px)
            )
            for prediction, image, letterbox in zip(predictions, images, letterboxes)
        ]


def _engine_of(
    network: torch.nn.Module | Engine,
    info: WeightsInfo | None = None,
    device: str = 'auto',
    precision: str = 'float32',
    network_size_px: tuple[int, int] | None = None,
    threads: int = 0,
    cuda_graphs: bool = False,
    log: Callable[[str], None] | None = None,
) -> tuple[Engine, tuple[int, int] | None]:
    """Return an engine for this network, and the size of its input."""
    check_network_size(network_size_px)
    if hasattr(network, 'run') and hasattr(network, 'info'):
        return cast(Engine, network), network_size_px
    if not callable(network) or info is None:
        raise TypeError(
            'expected weights by name or path, or a network with its WeightsInfo, got '
            f'{type(network).__name__} and {info!r}'
        )
    from ..engine.torch_engine import TorchEngine

    settings = _settings(device, precision, threads, cuda_graphs, log)
    return TorchEngine(network, info, settings), network_size_px


def _settings(
    device: str, precision: str, threads: int, cuda_graphs: bool, log: Callable[[str], None] | None
) -> Settings:
    settings = Settings(device, precision, threads, cuda_graphs)
    return settings if log is None else replace(settings, log=log)


def _check_image(image: np.ndarray) -> None:
    if not (
        isinstance(image, np.ndarray)
        and image.dtype == np.uint8
        and image.ndim == 3
        and image.shape[2] == 3
        and image.size
    ):
        raise ValueError(
            'expected each image as a (H, W, 3) uint8 RGB array, got '
            f'{getattr(image, "dtype", type(image).__name__)} {getattr(image, "shape", "")}'
        )


def _check_intrinsics(matrix: np.ndarray | None) -> None:
    if matrix is None:
        return
    if np.shape(matrix) != (3, 3) or not np.isfinite(matrix).all() or matrix[0, 0] <= 0:
        raise ValueError(
            f'expected 3x3 intrinsics with a positive focal length in pixels, got {matrix!r}'
        )
