"""Scenes and styles that the package renders itself, for training without any download."""

from .generate import render_scenes
from .styles import render_styles

__all__ = ['render_scenes', 'render_styles']
