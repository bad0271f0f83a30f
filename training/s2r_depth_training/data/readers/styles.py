"""A flat folder of style images, such as Painter By Numbers."""

from os import PathLike
from pathlib import Path

from ..sample import StyleImage
from . import files

LAYOUT = 'a folder of style images: NAME.jpg or NAME.png, any names, any sizes'


class Styles:
    """
    Style images: Painter By Numbers unpacked, or those of ``s2r_train render-styles``.

    :param root: the folder with the images.
    :raises DataError: if there is no such folder, or no image in it.
    """

    def __init__(self, root: str | PathLike):
        self._files = files.image_files(files.require_folder(Path(root), LAYOUT))
        files.require_any(self._files, Path(root), LAYOUT)

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> StyleImage:
        file = self._files[index]
        return StyleImage(files.read_rgb(file), str(file))
