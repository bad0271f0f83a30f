"""Render scenes and style images, for training without downloads."""

from .generate import render_scenes
from .styles import render_styles

__all__ = ['render_scenes', 'render_styles']
