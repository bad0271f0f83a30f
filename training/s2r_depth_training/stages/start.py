"""The weights that a stage after stage 3 starts from."""

from __future__ import annotations

from s2r_depth_ros import weights
from s2r_depth_ros.network import Architecture, S2RDepthNet
from s2r_depth_ros.weights.info import WeightsInfo

from ..engine.stage import Stage
from ..errors import TrainingError


def starting_network(stage: Stage, given: str | None) -> tuple[str, S2RDepthNet, WeightsInfo]:
    """
    Load the weights that a stage starts from.

    :param stage: keeps what is needed to continue with the same weights only.
    :param given: a file or a name; None for the result of stage 3 of this run.
    :returns: the file or the name, the network, and its metadata.
    :raises TrainingError: if stage 3 of this run has no result, or the architecture is not that
        of the config.
    :raises WeightsError: if the weights cannot be read.
    """
    config = stage.config
    if given is None and not config.weights_file.exists():
        raise TrainingError(
            f'stage 3 has not written {config.weights_file}: run s2r_train dsa first, or name '
            f'other weights with {stage.name}.weights'
        )
    source = given or str(config.weights_file)
    network, info = weights.load_with_info(source)
    if network.architecture.without_judge() != Architecture.preset(config.architecture):
        raise TrainingError(
            f'{source} has the architecture {network.architecture.as_dict()}, and the config '
            f'says {config.architecture!r}: they must be the same'
        )
    stage.starts_from(source, network, info)
    return source, network, info
