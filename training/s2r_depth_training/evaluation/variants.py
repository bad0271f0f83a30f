"""The variants of the method that an ablation trains."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from ..stages import attention, dsa, needs_attention, rgb_baseline, ste_decoder, ste_encoder

if TYPE_CHECKING:
    from ..config import Config


def train_variants(config: Config, new_depth_net: bool, resume: bool) -> dict[str, Path]:
    """
    Train the variants that are not trained yet, and return the weights of each.

    :param config: the configuration of a run with one seed.
    :param new_depth_net: begin stage 3 with a new depth net.
    :param resume: go on with the stage that was interrupted.
    """
    # (a), (a+)
    train_once(rgb_baseline, config, resume)
    more_rgb = replace(
        config,
        run_dir=config.run_dir / 'longer_baseline',
        rgb_baseline=replace(
            config.rgb_baseline,
            init_from=config.result_of(rgb_baseline.NAME),
            learning_rate=config.dsa.learning_rate,
            epochs=config.dsa.epochs,
            halve_every_epochs=config.dsa.halve_every_epochs,
        ),
    )
    train_once(rgb_baseline, more_rgb, resume)

    # (b)
    train_once(ste_encoder, config, resume)
    train_once(ste_decoder, config, resume)
    after_stage_2 = config.result_of(ste_decoder.NAME).with_name('weights.safetensors')

    # (b+): stage 3 with an attention that is and stays 1
    longer = stage_3(config, config.run_dir / 'without_attention', new_depth_net, after_stage_2)
    longer = replace(longer, dsa=replace(longer.dsa, attention_rate=0.0))
    train_once(dsa, longer, resume)

    # (c)
    attention_from = config.dsa.init_attention_from
    if needs_attention(config):
        train_once(attention, config, resume)
        attention_from = config.result_of(attention.NAME)
    whole = stage_3(config, config.run_dir, new_depth_net, attention_from)
    train_once(dsa, whole, resume)

    # (d)
    scratch = replace(
        config,
        run_dir=config.run_dir / 'without_stage_1',
        ste_decoder=replace(config.ste_decoder, train_encoder=True),
    )
    train_once(ste_decoder, scratch, resume)
    scratch = stage_3(scratch, scratch.run_dir, new_depth_net, attention_from)
    train_once(dsa, scratch, resume)
    return {
        'a': config.result_of(rgb_baseline.NAME),
        'a+': more_rgb.result_of(rgb_baseline.NAME),
        'b': after_stage_2,
        'b+': longer.weights_file,
        'c': whole.weights_file,
        'd': scratch.weights_file,
    }


def train_once(stage: ModuleType, config: Config, resume: bool) -> None:
    """Train a stage unless its result is there."""
    if not config.result_of(stage.NAME).exists():
        stage.train(config, resume)


def stage_3(
    config: Config, run_dir: Path, new_depth_net: bool, attention_from: Path | None
) -> Config:
    """
    Return the settings of a stage 3 on the structure of ``config``'s stage 2.

    :param config: the configuration of the run that has a stage 2.
    :param run_dir: where stage 3 goes.
    :param new_depth_net: begin with a new depth net in place of stage 2's.
    :param attention_from: the weights that the attention begins with; None for a random start.
    """
    after_stage_2 = config.result_of(ste_decoder.NAME)
    return replace(
        config,
        run_dir=run_dir,
        dsa=replace(
            config.dsa,
            structure=after_stage_2,
            init_attention_from=attention_from,
            init_depth_from=None if new_depth_net else after_stage_2,
        ),
    )
