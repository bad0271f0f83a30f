"""S2R-DepthNet, one file per module of the method's figure; imports torch and nothing else."""

from .architecture import Architecture, SIZE_MULTIPLE, SMALLEST_SIZE
from .attention import AttentionNet
from .depth import DepthNet
from .drn import DilatedResidualNet
from .judge import Judge, Judgement
from .s2r_depthnet import DepthMaps, S2RDepthNet
from .structure import StructureDecoder, StructureEncoder

__all__ = [
    'Architecture',
    'AttentionNet',
    'DepthMaps',
    'DepthNet',
    'DilatedResidualNet',
    'Judge',
    'Judgement',
    'S2RDepthNet',
    'SIZE_MULTIPLE',
    'SMALLEST_SIZE',
    'StructureDecoder',
    'StructureEncoder',
]
