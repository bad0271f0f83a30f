"""S2R-DepthNet for ROS 2: metric depth from any camera."""
from .network import S2RDepthNet
from .predictor import DepthPredictor

__all__ = ['DepthPredictor', 'S2RDepthNet']
