"""Scenes and styles that the package renders itself, for training without any download."""
from s2r_depth_training.render.generate import render_scenes
from s2r_depth_training.render.restyle import restyle
from s2r_depth_training.render.styles import render_styles

__all__ = ['render_scenes', 'render_styles', 'restyle']
