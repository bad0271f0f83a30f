"""Images to metric depth: the one place that knows device, precision, sizes and batches."""
from __future__ import annotations

from collections.abc import Sequence
import contextlib
from dataclasses import dataclass
import math
import os
from typing import NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from . import depth_range
from . import weights as weight_files
from .network import DepthMaps, inference_form, SIZE_MULTIPLE, SMALLEST_SIZE
from .network.recorded import record_cuda_graph, RecordedNetwork

PRECISIONS = {
    'float32': torch.float32, 'float16': torch.float16, 'bfloat16': torch.bfloat16}


class PredictedMaps(NamedTuple):
    """Depth in metres, structure map and attention map, each (H, W) float32 at image size."""

    depth_m: np.ndarray
    structure: np.ndarray
    attention: np.ndarray


@dataclass(frozen=True)
class Fit:
    """
    How an image lies in the network's input: resized by one factor, centred, border repeated.

    :param image_size_px: (height, width) of the image.
    :param inner_size_px: (height, width) of the resized image inside the input.
    :param input_size_px: (height, width) of the input, multiples of 16.
    """

    image_size_px: tuple[int, int]
    inner_size_px: tuple[int, int]
    input_size_px: tuple[int, int]

    @classmethod
    def automatic(cls, image_size_px: tuple[int, int], area_px: int) -> Fit:
        """Choose the input of about ``area_px`` pixels whose shape is nearest the image's."""
        height, width = image_size_px
        scale = math.sqrt(area_px / (height * width))
        longest = 2 * area_px // SMALLEST_SIZE  # however slim the image, the work is bounded
        input_size_px = tuple(
            max(SMALLEST_SIZE, round(min(longest, side * scale) / SIZE_MULTIPLE) * SIZE_MULTIPLE)
            for side in (height, width))
        return cls.fixed(image_size_px, input_size_px)  # type: ignore[arg-type]

    @classmethod
    def fixed(cls, image_size_px: tuple[int, int], input_size_px: tuple[int, int]) -> Fit:
        """Put the whole image into an input of the given size."""
        scale = min(inside / side for inside, side in zip(input_size_px, image_size_px))
        inner = tuple(
            min(inside, max(1, round(side * scale)))
            for inside, side in zip(input_size_px, image_size_px))
        return cls(image_size_px, inner, input_size_px)  # type: ignore[arg-type]

    @property
    def scale(self) -> float:
        """Input pixels per image pixel along the width, by which the focal length scales."""
        return self.inner_size_px[1] / self.image_size_px[1]

    @property
    def padding(self) -> tuple[int, int, int, int]:
        """Pixels added (left, right, top, bottom)."""
        spare_v, spare_h = (
            whole - inner for whole, inner in zip(self.input_size_px, self.inner_size_px))
        return spare_h // 2, spare_h - spare_h // 2, spare_v // 2, spare_v - spare_v // 2


class DepthPredictor:
    """
    Runs S2R-DepthNet on images of any size; needs no ROS.

    :param weights: None or ``'outdoor'`` for the bundled outdoor weights, ``'indoor'``, a
        safetensors file, a folder with the four published ``.pth`` files, or ``'random'``.
    :param device: ``'auto'`` (CUDA if there is one), ``'cpu'``, ``'cuda'`` or ``'cuda:N'``.
    :param precision: ``'float32'``, ``'float16'`` (CUDA alone) or ``'bfloat16'``.
    :param network_size_px: (height, width) of the network's input, multiples of 16 and at least
        96; None takes as many pixels as the training size, in the shape of the image.
    :param published: what to assume of published ``.pth`` files, which do not say their range.
    :param threads: CPU threads of the network; 0 lets PyTorch choose.
    :param cuda_graphs: on a GPU, record the network for each size and replay it.
    :raises WeightsError: if the weights can not be used; it names the file and the fault.
    :raises ValueError: if device, precision or size can not be used.
    """

    def __init__(
        self, weights: str | os.PathLike | None = None, device: str = 'auto',
        precision: str = 'float32', network_size_px: tuple[int, int] | None = None,
        published: weight_files.WeightsInfo = weight_files.PUBLISHED, threads: int = 0,
        cuda_graphs: bool = False,
    ):
        self.device = choose_device(device)
        self.precision = precision
        self.dtype = _choose_dtype(precision, self.device)
        _check_network_size(network_size_px)
        self.network_size_px = network_size_px
        self.threads = threads or torch.get_num_threads()
        network, self.info = weight_files.load_with_info(weights, published)
        self.network = inference_form(network, self.device, self.dtype)
        if self.device.type == 'cuda':
            torch.backends.cudnn.benchmark = True  # sizes stay the same: the search pays
            # Weights of the precision itself; autocast would convert them for each image.
            self.network = self.network.to(self.dtype)
            if cuda_graphs:
                self.network = RecordedNetwork(self.network, record_cuda_graph)

    @classmethod
    def of(
        cls, network: torch.nn.Module, info: weight_files.WeightsInfo, device: str = 'auto',
    ) -> DepthPredictor:
        """
        Return a predictor that runs another network in the place of S2R-DepthNet.

        :param network: called as ``S2RDepthNet`` is; the predictor runs a copy of it.
        :param info: what it was trained for.
        :param device: as for the constructor.
        """
        predictor = cls(weight_files.RANDOM, device)
        predictor.network = inference_form(network, predictor.device)
        predictor.info = info
        return predictor

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

    @torch.inference_mode()
    def _run(
        self, images: Sequence[np.ndarray],
        intrinsics: Sequence[np.ndarray | None] | None, with_maps: bool,
    ) -> list[list[np.ndarray]]:
        """Return of each image the depth, and with maps the structure and attention maps."""
        torch.set_num_threads(self.threads)  # OpenMP keeps this for each calling thread
        for image in images:
            _check_image(image)
        matrices = list(intrinsics) if intrinsics is not None else [None] * len(images)
        if len(matrices) != len(images):
            raise ValueError(f'got {len(images)} images but {len(matrices)} intrinsics')
        for matrix in matrices:
            _check_intrinsics(matrix)

        fits = [self.fit(image.shape[:2]) for image in images]
        groups: dict[tuple[int, int], list[int]] = {}
        for index, fit in enumerate(fits):
            groups.setdefault(fit.input_size_px, []).append(index)

        pending: dict[int, list[torch.Tensor]] = {}
        are_finite: list[torch.Tensor] = []
        with self._as_current_device():
            for group in groups.values():
                inputs = [self._to_input(images[i], fits[i]) for i in group]
                batch = torch.cat(inputs) if len(inputs) > 1 else inputs[0]
                maps = self._forward(batch)
                are_finite.append(torch.isfinite(maps.depth).all())
                for row, index in enumerate(group):
                    scale = self.focal_scale(fits[index], matrices[index])
                    pending[index] = self._to_image_size(
                        maps, row, fits[index], scale, with_maps)
            self._synchronise()  # once, after all that was asked for is under way
        if not all(are_finite):  # one such value would reach all that a resize makes of it
            raise ValueError(
                'the network gave depth that is not finite: the weights are damaged, or precision '
                f'{self.precision} is too coarse for them; use float32 or other weights')
        return [[tensor.numpy() for tensor in pending[i]] for i in range(len(images))]

    def _as_current_device(self) -> contextlib.AbstractContextManager:
        """Return the context in which streams and graphs are those of the chosen GPU."""
        if self.device.type == 'cuda':
            return torch.cuda.device(self.device)
        return contextlib.nullcontext()

    def _forward(self, batch: torch.Tensor) -> DepthMaps:
        if self.device.type == 'cuda':
            batch = batch.to(self.dtype)
        with self.reduced_precision():
            return self.network(batch, return_maps=True)

    def reduced_precision(self) -> contextlib.AbstractContextManager:
        """Return the context in which the network runs in the chosen precision on a CPU."""
        if self.device.type == 'cuda' or self.dtype is torch.float32:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, self.dtype)

    def _to_input(self, image: np.ndarray, fit: Fit) -> torch.Tensor:
        """Return the image as the network wants it: (1, 3, H, W) in [-1, 1], on the device."""
        # PyTorch warns of arrays that it could not write to, such as those of Pillow.
        pixels = torch.from_numpy(np.require(image, requirements=('C', 'W')))
        if self.device.type == 'cuda':
            pixels = pixels.pin_memory()
        pixels = pixels.to(self.device, non_blocking=True).permute(2, 0, 1)[None]
        # On uint8 the resize is vectorised for channels last; PyTorch's resize for GPUs has none.
        if self.device.type == 'cuda':
            pixels = pixels.float()
        pixels = F.interpolate(
            pixels, fit.inner_size_px, mode='bilinear', antialias=True, align_corners=False)
        values = torch.empty(
            (1, 3, *fit.input_size_px), device=self.device, memory_format=torch.channels_last)
        left, _, top, _ = fit.padding
        bottom, right = top + fit.inner_size_px[0], left + fit.inner_size_px[1]
        rows = values[:, :, top:bottom]
        torch.mul(pixels, 2 / 255, out=rows[..., left:right]).sub_(1)
        # Then the border repeats the outermost pixels.
        rows[..., :left], rows[..., right:] = rows[..., left:left + 1], rows[..., right - 1:right]
        values[:, :, :top], values[:, :, bottom:] = rows[:, :, :1], rows[:, :, -1:]
        return values

    def _to_image_size(
        self, maps: DepthMaps, row: int, fit: Fit, scale: float, with_maps: bool,
    ) -> list[torch.Tensor]:
        """Cut the border off, resize, and start the copy to the host."""
        left, _, top, _ = fit.padding
        height, width = fit.inner_size_px
        inner = [m[row, 0, top:top + height, left:left + width].float() for m in (
            (maps.depth, maps.structure, maps.attention) if with_maps else (maps.depth,))]
        inner[0] = depth_range.to_metres(inner[0], self.info.max_depth_m * scale)
        if self.device.type == 'cpu':  # where OpenCV is several times as fast as torch
            return [torch.from_numpy(cv2.resize(m.numpy(), fit.image_size_px[::-1]))
                    for m in inner]
        resized = F.interpolate(
            torch.stack(inner)[None], fit.image_size_px, mode='bilinear', align_corners=False)[0]
        return [
            torch.empty(m.shape, dtype=m.dtype, pin_memory=True).copy_(m, non_blocking=True)
            for m in resized]

    def _synchronise(self) -> None:
        if self.device.type == 'cuda':
            torch.cuda.synchronize(self.device)


def choose_device(name: str) -> torch.device:
    """
    Return the device called ``name``.

    :param name: ``'auto'`` (CUDA if there is one), ``'cpu'``, ``'cuda'`` or ``'cuda:N'``.
    :raises ValueError: if there is no such device.
    """
    if name == 'auto':
        return torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    kind, _, index = name.partition(':')
    if kind not in ('cpu', 'cuda') or (index and not index.isdecimal()) or name == 'cuda:':
        raise ValueError(f'device must be auto, cpu, cuda or cuda:N, got {name!r}')
    if kind == 'cuda' and int(index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f'device {name!r} is not there: PyTorch sees {torch.cuda.device_count()} CUDA '
            'devices; use device auto or cpu, or install a CUDA build of PyTorch')
    return torch.device(name)


def slow_precision(precision: str, device: torch.device) -> str:
    """
    Return why a precision is slow on this machine; empty if it is not.

    :param precision: of :data:`PRECISIONS`.
    :param device: where the network runs.
    """
    if precision != 'bfloat16' or device.type != 'cpu' or _cpu_computes_in_bfloat16():
        return ''
    return ('precision bfloat16 is 25 to 100 times slower than float32 on this CPU, which lacks '
            'the instructions for it (AVX-512 on x86): use float32')


def _cpu_computes_in_bfloat16() -> bool:
    """Ask PyTorch whether its library of CPU kernels has fast ones; on x86 and ARM."""
    return torch.ops.mkldnn._is_mkldnn_bf16_supported()


def _choose_dtype(precision: str, device: torch.device) -> torch.dtype:
    if precision not in PRECISIONS:
        raise ValueError(f'precision must be one of {", ".join(PRECISIONS)}, got {precision!r}')
    if precision == 'float16' and device.type == 'cpu':
        raise ValueError('precision float16 needs a CUDA device; on a CPU use bfloat16 or float32')
    return PRECISIONS[precision]


def _check_network_size(size_px: tuple[int, int] | None) -> None:
    if size_px is not None and any(
            side % SIZE_MULTIPLE or side < SMALLEST_SIZE for side in size_px):
        raise ValueError(
            f'the network size must be multiples of {SIZE_MULTIPLE}, at least {SMALLEST_SIZE}, '
            f'got {size_px[0]} x {size_px[1]}')


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
