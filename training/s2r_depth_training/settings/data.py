"""The images that a run trains on, and their augmentation."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from s2r_depth_ros.engine.letterbox import check_network_size, SIZE_MULTIPLE, SMALLEST_SIZE
from s2r_depth_ros.weights.info import (
    LARGEST_TRAINING_SIDE_PX,
    LEAST,
    MOST,
    MOST_CONTRAST,
    WeightsInfo,
)
from s2r_scenes.generate import LARGEST_SIDE_PX, MOST_SAMPLES
from s2r_scenes.light import VARIATIONS
from s2r_scenes.viewpoints import Cameras

from ..ranges import check_ranges
from .augmentation import Augmentation
from .renamed import earlier_name_of, move_renamed

_SCENE_KINDS = ('driving', 'indoor', 'world')


@dataclass(frozen=True)
class ScenesSettings:
    """
    Scenes that are rendered during the training (``dataset: scenes``).

    Each scene is rendered in one variation. The seed is that of the run.

    :param kinds: share of each kind of scene: ``driving``, ``indoor``, ``world``.
    :param variations: styles of light and weather.
    :param frames_per_scene: number of pictures of each scene.
    :param width_px: width of the pictures; null means that of the network's input.
    :param height_px: height of the pictures; null means that of the network's input.
    :param supersample: colour samples per pixel along each axis.
    :param backend: ``gl``, ``embree``, or ``auto`` (``gl`` if it works, else ``embree``).
    :param models: libraries of models of real objects, as for ``render-scenes``.
    :param models_share: share of the scenes with models, which take longer to render.
    :param cameras: ``ordinary`` or ``any``, as for ``render-scenes``.
    :param any_share: with ``cameras: any``, share of the scenes with any camera; the others have
        ordinary cameras.
    :param sizes_px: [height, width] of the batches of stages 2 and 3, drawn with equal
        probability; empty means only the size of the network's input. The training focal length
        applies to all sizes.
    :param reuse: how often each picture is used, each time with new random changes.
    :param pool_frames: number of pictures in memory from which batches are drawn. Each process
        keeps 1 / ``reuse`` more, at 7 bytes per pixel.
    :param epoch_images: number of images that count as one epoch.
    """

    kinds: dict[str, float] = field(default_factory=lambda: {'driving': 1.0})
    variations: list[str] = field(default_factory=lambda: list(VARIATIONS))
    frames_per_scene: int = 4
    width_px: int | None = None
    height_px: int | None = None
    supersample: int = 2
    backend: Literal['auto', 'gl', 'embree'] = 'auto'
    models: list[str] = field(default_factory=list)
    models_share: float = 1.0
    cameras: Cameras = 'ordinary'
    any_share: float = 1.0
    sizes_px: list[tuple[int, int]] = field(default_factory=list)
    reuse: int = 4
    pool_frames: int = 512
    epoch_images: int = 10000

    def __post_init__(self):
        for setting in fields(self):
            if getattr(self, setting.name) is None and 'None' not in str(setting.type):
                raise ValueError(f'{setting.name} must have a value or be left out, got null')
        check_ranges(self, 'frames_per_scene', 'reuse', 'pool_frames', 'epoch_images', least=1)
        check_ranges(self, 'width_px', 'height_px', least=16, most=LARGEST_SIDE_PX)
        check_ranges(self, 'supersample', least=1, most=MOST_SAMPLES)
        check_ranges(self, 'models_share', 'any_share', least=0, most=1)
        unknown = sorted(self.kinds.keys() - set(_SCENE_KINDS))
        if unknown or not all(0 <= s < float('inf') for s in self.kinds.values()):
            raise ValueError(
                f'kinds must give shares of at least 0 to {", ".join(_SCENE_KINDS)}, '
                f'got {self.kinds}'
            )
        if not sum(self.kinds.values()):
            raise ValueError(f'kinds must give a share above 0 to one kind, got {self.kinds}')
        for height_px, width_px in self.sizes_px:
            check_network_size((height_px, width_px))
        if self.kinds.get('world') and not set(self.models) - {'none'}:
            raise ValueError('scenes of the kind world need models: name their folders')
        if not self.variations or set(self.variations) - set(VARIATIONS):
            raise ValueError(
                f'variations must be some of {", ".join(VARIATIONS)}, got {self.variations}'
            )


@dataclass(frozen=True)
class SourceSettings:
    """
    The images with depth of a run, and their augmentation.

    :param dataset: layout of the data set: ``vkitti`` (also what ``render-scenes`` writes),
        ``vkitti2``, ``suncg``, ``hypersim``, ``kitti_raw``, ``kitti_depth``, ``nyu``, ``folder``;
        or ``scenes``, which are rendered during the training.
    :param root: folder of the data set, or a list of folders with the same layout.
    :param options: options of the reader, such as ``{variations: [clone, fog]}``.
    :param augmentation: random changes to the images; the defaults are the published ones.
    :param workers: number of processes that read ahead; with 0, the training process reads.
    :param gpu_cache: read all images once, keep them in GPU memory (5 bytes per pixel), and
        augment them there. Use it if the GPU waits for the CPU. Images of another aspect ratio are
        cropped at the centre. The last batch of an epoch is filled with the first images. It needs
        a single process, and does not affect stage 1.
    :param scenes: the scenes to render with ``dataset: scenes``.
    :param max_corrupt_fraction: fail if a larger share of the images cannot be read.
    :param resident: earlier name of ``gpu_cache``, for one release.
    """

    dataset: str = 'vkitti'
    root: Path | list[Path] = Path('data')
    options: dict[str, Any] = field(default_factory=dict)
    augmentation: Augmentation = field(default_factory=Augmentation)
    workers: int = 4
    gpu_cache: bool = False
    max_corrupt_fraction: float = 0.01
    scenes: ScenesSettings | None = None
    resident: bool | None = earlier_name_of('gpu_cache')

    def __post_init__(self):
        move_renamed(self)
        check_ranges(self, 'workers', least=0)
        check_ranges(self, 'max_corrupt_fraction', least=0, most=1)

    def seen_by(self, info: WeightsInfo) -> DataSettings:
        """Return these settings with size, focal length and range of existing weights."""
        return DataSettings(
            **{field.name: getattr(self, field.name) for field in fields(SourceSettings)},
            height_px=info.training_height_px,
            width_px=info.training_width_px,
            training_focal_px=info.training_focal_px,
            max_depth_m=info.max_depth_m,
            contrast_limit=info.contrast_limit,
        )


@dataclass(frozen=True)
class DataSettings(SourceSettings):
    """
    Images with depth, and the form in which the network receives them.

    :param height_px: height of the network's input, a multiple of 16, 96 to 2048.
    :param width_px: width of the network's input, a multiple of 16, 96 to 2048.
    :param training_focal_px: focal length in pixels of the network's input. Depth is scaled as if
        every image had it, so the network learns a single camera. The node scales back. vKITTI:
        725 px * 640 / 1242.
    :param max_depth_m: top of the depth range in metres: 80 outdoor, 8 indoor. Greater depth, and
        sky, count as this value.
    :param contrast_limit: limit of the equalization of the local contrast of each image (CLAHE), 0
        to 40; 0 leaves the images unchanged, as published.
    """

    height_px: int = 192
    width_px: int = 640
    training_focal_px: float = 725.0 * 640 / 1242
    max_depth_m: float = 80.0
    contrast_limit: float = 0.0

    def __post_init__(self):
        super().__post_init__()
        for name in ('height_px', 'width_px'):
            side = getattr(self, name)
            if side % SIZE_MULTIPLE or not SMALLEST_SIZE <= side <= LARGEST_TRAINING_SIDE_PX:
                raise ValueError(
                    f'{name} must be a multiple of {SIZE_MULTIPLE} and at least {SMALLEST_SIZE}, '
                    f'at most {LARGEST_TRAINING_SIDE_PX}, got {side}'
                )
        check_ranges(self, 'training_focal_px', 'max_depth_m', least=LEAST, most=MOST)
        check_ranges(self, 'contrast_limit', least=0, most=MOST_CONTRAST)

    def weights_info(self, provenance: dict[str, str]) -> WeightsInfo:
        """Return the metadata of the weights file of a network that is trained on these images."""
        return WeightsInfo(
            max_depth_m=self.max_depth_m,
            training_focal_px=self.training_focal_px,
            training_height_px=self.height_px,
            training_width_px=self.width_px,
            provenance=provenance,
            contrast_limit=self.contrast_limit,
        )


@dataclass(frozen=True)
class StyleSettings:
    """
    Style images, which need no labels.

    :param root: folder of the images, such as Painter By Numbers or what ``render-styles`` wrote.
    :param render: number of images to render into ``root`` before stage 1 if they are missing; 0
        uses the folder unchanged.
    """

    root: Path = Path('styles')
    render: int = 0

    def __post_init__(self):
        check_ranges(self, 'render', least=0)
