"""The stages of the method, one file each, and all of them in a row."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..config import Config


def train_all(config: Config, resume: bool = False) -> Path:
    """
    Train all stages in sequence, except finished ones.

    :param config: of the run.
    :param resume: continue the interrupted stage.
    :returns: the weights file of the whole network, with its judge if there is one.
    :raises TrainingError: if a stage cannot start or continue.
    """
    from . import attention, dsa, judge, ste_decoder, ste_encoder

    first_process = os.environ.get('RANK', '0') == '0'  # as torchrun numbers them
    before_3 = (attention,) if needs_attention(config) else ()
    after_3 = (judge,) if config.judge.channels else ()
    judged_file = config.run_dir / judge.NAME / 'weights.safetensors'
    written = {dsa: config.weights_file, judge: judged_file}
    for stage in (ste_encoder, ste_decoder, *before_3, dsa, *after_3):
        result = config.result_of(stage.NAME)
        done = result.exists() and written.get(stage, result).exists()
        if not done:
            stage.train(config, resume)
        elif first_process:
            print(f'{stage.NAME} is done: {config.result_of(stage.NAME)}')
    last_file = judged_file if after_3 else config.weights_file
    if first_process:
        print(f'weights: {last_file}')
    return last_file


def needs_attention(config: Config) -> bool:
    """Return whether stage 3 starts from an attention that this run pre-trains."""
    return config.dsa.pretrain_attention and not config.dsa.init_attention_from
