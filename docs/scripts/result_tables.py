"""
Write the tables of docs/dev that hold the results of `s2r_train evaluate`.

`python docs/scripts/result_tables.py RUNS REAL`: RUNS has a folder for each set, with the
`results.json` of `evaluate --edge-filter 1`. The commands are those of
docs/how-to/render_scenes.md and docs/reference/results.md. `street_looks` is `test_streets`
after `restyle`, and `robots_*` are evaluated as `real_*` are. REAL has the real frames. The
frames of robots are measured here once more: without a crop, from 0.2 to 80 m outdoors, and to
10 m indoors.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
import csv
import json
from pathlib import Path
import sys
from typing import Any

import numpy as np

from s2r_depth_ros import DepthPredictor
from s2r_depth_ros.sources.manifest import read_manifest
from s2r_depth_training.data.readers.manifest import Manifest

TABLES = Path(__file__).parents[1] / 'dev'
SETS = {
    'test_streets': 'rendered streets',
    'test_any': 'rendered streets, any camera',
    'test_rooms': 'rendered rooms',
    'test_any_rooms': 'rendered rooms, any camera',
    'real_outdoor': 'real outdoor frames',
    'robots_outdoor': 'real outdoor frames of robots',
    'real_indoor': 'real indoor frames',
    'robots_indoor': 'real indoor frames of robots',
}
RESTYLED = {'street_looks': 'streets in clear light', 'room_looks': 'rooms in clear light'}
TILTED = 'real_outdoor', 'test_streets', 'real_indoor', 'test_rooms'
SHARES = [f'{10 * part}_percent' for part in range(1, 11)]
NEAREST_M, CLOSE_M = 0.2, 1.2
FARTHEST_M = {'outdoor': 80.0, 'indoor': 10.0}
SCALINGS = {'median-scaled': 'median_scaled', 'in metres': 'unscaled'}
METHODS = {'network': 'network', 'depth by row': 'by row', 'one constant': 'one constant'}


def write(name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Replace one table."""
    with (TABLES / name).open('w', encoding='utf-8', newline='') as opened:
        table = csv.writer(opened, lineterminator='\n')
        table.writerow(header)
        table.writerows(rows)


def clean_cloud(results: dict[str, Any]) -> None:
    """Write what the edge filter removes, and the curves of the confidence."""
    rows = []
    for name, title in SETS.items():
        clean = results[name]['clean']
        ghosts, true_depth = clean['ghosts'], clean['ghosts_of_true_depth']
        curves = clean['sparsification']
        rows.append(
            [
                title,
                methods(results[name])['network']['mean']['frames'],
                f'{ghosts["share"]:.3g}',
                *(
                    f'{found[key]:.3f}' if found else ''
                    for found in (ghosts, true_depth)
                    for key in ('removed', 'others_kept')
                ),
                *(f'{error:.4f}' for error in (*curves['abs_rel'], *curves['oracle_abs_rel'])),
            ]
        )
    header = ['set', 'frames', 'ghosts', 'ghosts_removed', 'others_kept']
    header += ['ghosts_removed_at_true_depth', 'others_kept_at_true_depth']
    header += [f'{curve}_of_{share}' for curve in ('abs_rel', 'oracle') for share in SHARES]
    write('clean_cloud.csv', header, rows)


def real_frames(results: dict[str, Any]) -> None:
    """Write the means of the network and its baselines, and the single frames."""
    rows = []
    for place in ('outdoor', 'indoor'):
        of_place = methods(results[f'real_{place}'])
        for scaling, key in SCALINGS.items():
            for method, title in METHODS.items():
                errors = of_place[method]['mean'][key]
                rows.append(
                    [
                        place,
                        scaling,
                        title,
                        f'{errors["abs_rel"]:.3f}',
                        f'{errors["rmse_m"]:.2f}',
                        f'{errors["delta_1"]:.3f}',
                        f'{errors["delta_2"]:.3f}',
                    ]
                )
        frames = [frame_row(frame) for frame in of_place['network']['frames']]
        header = ['frame', 'abs_rel', 'delta_1.25', 'abs_rel_unscaled', 'true_over_predicted']
        write(f'real_{place}_frames.csv', header, frames)
    header = ['place', 'scaling', 'method', 'abs_rel', 'rmse_m', 'delta_1.25', 'delta_1.25^2']
    write('real_frames.csv', header, rows)


def robot_frames(real: Path) -> None:
    """Measure the frames of robots, write them, and print the means of their groups."""
    rows, groups = [], {}
    for place, farthest_m in FARTHEST_M.items():
        predictor = DepthPredictor(place, device='cpu')
        folder = real / f'robots_{place}'
        entries = read_manifest(folder / 'manifest.json')
        for entry, sample in zip(entries, Manifest(folder), strict=True):
            depth_m = predictor.predict([sample.image], [sample.intrinsics])[0]
            counts = (sample.depth_m > NEAREST_M) & (sample.depth_m < farthest_m)
            true_m, depth_m = sample.depth_m[counts], depth_m[counts]
            median_m = float(np.median(true_m))
            ratio = median_m / float(np.median(depth_m))
            scaled_m, unscaled_m = (
                np.clip(factor * depth_m, NEAREST_M, farthest_m) for factor in (ratio, 1.0)
            )
            errors = (
                np.abs(scaled_m / true_m - 1).mean(),
                (np.maximum(scaled_m / true_m, true_m / scaled_m) < 1.25).mean(),
                np.abs(unscaled_m / true_m - 1).mean(),
            )
            values = (*(f'{error:.3f}' for error in errors), f'{ratio:.2f}', f'{median_m:.3f}')
            rows.append([place, entry.fields['name'], *values])
            is_close = place == 'indoor' and median_m < CLOSE_M
            groups.setdefault('close by' if is_close else place, []).append(errors)
    header = ['kind', 'frame', 'abs_rel', 'delta_1.25', 'abs_rel_in_metres']
    write('robot_frames.csv', [*header, 'true_over_predicted', 'median_depth_m'], rows)
    for name, of_group in groups.items():
        print(name, len(of_group), np.mean(of_group, axis=0).round(3))


def styles(results: dict[str, Any]) -> None:
    """Write the errors in each style, and the change of depth from style to style."""
    rows = []
    for name, title in RESTYLED.items():
        network = methods(results[name])['network']
        by_style = defaultdict(list)
        for frame in network['frames']:
            by_style[Path(frame['name']).parent.name].append(frame['median_scaled']['abs_rel'])
        means = {style: np.mean(errors) for style, errors in by_style.items()}
        of_all = f'{np.mean(list(means.values())):.3f}', f'{network["style_change"]:.3f}'
        rows.append([title, f'mean of {len(means)}', *of_all])
        ranked = sorted(means, key=lambda style: means[style])
        rows += [[title, style, f'{means[style]:.3f}', ''] for style in ranked]
    write('styles.csv', ['place', 'style', 'abs_rel', 'style_change'], rows)


def tilt(results: dict[str, Any]) -> None:
    """Write the errors that are left after true scale and tilt."""
    rows = []
    for name in TILTED:
        of_set = methods(results[name])
        network, constant = of_set['network']['mean'], of_set['one constant']['mean']
        errors = network['median_scaled']['abs_rel'], network['tilted_abs_rel']
        rows.append([SETS[name], *(f'{e:.3f}' for e in (*errors, constant['tilted_abs_rel']))])
    header = ['frames', 'abs_rel', 'abs_rel_scaled_and_tilted', 'one_constant_scaled_and_tilted']
    write('tilt.csv', header, rows)


def methods(result: dict[str, Any]) -> dict[str, Any]:
    """Return the methods of a result by their names."""
    return {method['name']: method for method in result['methods']}


def frame_row(frame: dict[str, Any]) -> list[str]:
    """Return name, errors and scale of one frame."""
    return [
        Path(frame['name']).stem,
        f'{frame["median_scaled"]["abs_rel"]:.3f}',
        f'{frame["median_scaled"]["delta_1"]:.3f}',
        f'{frame["unscaled"]["abs_rel"]:.3f}',
        f'{frame["median_ratio"]:.2f}',
    ]


def main() -> None:
    """Write the tables."""
    runs, real = map(Path, sys.argv[1:])
    results = {
        name: json.loads((runs / name / 'results.json').read_text()) for name in (*SETS, *RESTYLED)
    }
    clean_cloud(results)
    real_frames(results)
    tilt(results)
    styles(results)
    robot_frames(real)


if __name__ == '__main__':
    main()
