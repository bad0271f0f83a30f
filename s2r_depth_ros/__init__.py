"""S2R-DepthNet for ROS 2: metric depth from any camera."""

from typing import Any, TYPE_CHECKING

if TYPE_CHECKING:
    from .depth.predictor import DepthPredictor
    from .network import S2RDepthNet

__all__ = ['DepthPredictor', 'S2RDepthNet']


def __getattr__(name: str) -> Any:
    """Import a class at its first use, since the import of torch takes seconds."""
    if name == 'DepthPredictor':
        from .depth.predictor import DepthPredictor

        return DepthPredictor
    if name == 'S2RDepthNet':
        from .network import S2RDepthNet

        return S2RDepthNet
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
