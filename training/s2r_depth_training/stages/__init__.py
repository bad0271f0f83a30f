"""The stages of the method, one file each, and all of them in a row."""

from __future__ import annotations

import os
from pathlib import Path
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..config import Config


def train_all(config: Config, resume: bool = False) -> Path:
    """
    Train all stages in sequence, except finished ones.

    :param config: the configuration of the run.
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
    stages = (ste_encoder, ste_decoder, *before_3, dsa, *after_3)
    for place, stage in enumerate(stages):
        result = config.result_of(stage.NAME)
        done = result.exists() and written.get(stage, result).exists()
        if not done:
            _refuse_outdated(result.parent, [config.run_dir / s.NAME for s in stages[place + 1 :]])
            stage.train(config, resume)
        elif first_process:
            print(f'{stage.NAME} is done: {result}')
            _warn_of_changes(config, stage.NAME)
    last_file = judged_file if after_3 else config.weights_file
    if first_process:
        print(f'weights: {last_file}')
    return last_file


def _refuse_outdated(stage: Path, later_stages: list[Path]) -> None:
    """:raises TrainingError: if later stages were trained on an earlier result of a stage."""
    from ..engine.run_folder import CHECKPOINT_FILE, RESULT_FILE
    from ..errors import TrainingError

    begun = [
        str(later)
        for later in later_stages
        if (later / RESULT_FILE).exists() or (later / CHECKPOINT_FILE).exists()
    ]
    if begun and not (stage / RESULT_FILE).exists():
        raise TrainingError(
            f'{stage} is not finished, so {", ".join(begun)} cannot be of it: remove what comes '
            'later to train it again, too, or give another run_dir'
        )


def _warn_of_changes(config: Config, stage: str) -> None:
    """Say which settings of a finished stage are other ones now, and have no effect."""
    from ..engine.checkpoints import read_whole
    from ..engine.resume import changed_settings, check_form
    from ..engine.run_folder import CHECKPOINT_FILE
    from ..errors import TrainingError

    file = config.run_dir / stage / CHECKPOINT_FILE
    if not file.exists():
        return
    try:
        state = read_whole(file)
        check_form(state, file)
    except TrainingError:  # a finished stage needs it no more
        return
    if changes := changed_settings(state['settings'], config, getattr(config, stage)):
        print(f'{stage} keeps its earlier settings: {"; ".join(changes)}', file=sys.stderr)


def needs_attention(config: Config) -> bool:
    """Return whether stage 3 starts from an attention that this run pre-trains."""
    return config.dsa.pretrain_attention and not config.dsa.init_attention_from
