"""The results of an evaluation for people: a table on the terminal and one HTML page."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import jinja2
import numpy as np

from .panels import FramePanels
from .summary import KINDS

ERROR_HEADS = ('Abs Rel', 'Sq Rel', 'RMSE', 'RMSE log', '< 1.25', '< 1.25²', '< 1.25³')


def table(results: dict[str, Any]) -> str:
    """
    Lay the averages out for a terminal.

    :param results: as `evaluate.evaluate` returns them.
    :returns: several lines, at most 120 columns unless a method has a long name.
    """
    first = results['methods'][0]
    width = max(32, *(len(method['name']) + 2 for method in results['methods']))

    def row(name: str, errors: dict[str, float]) -> str:
        return f'{name:<{width}}' + ''.join(f'{error:9.3f}' for error in errors.values())

    heads = ''.join(f'{head:>9}' for head in ERROR_HEADS)
    lines = [results['title']]
    for kind, title in KINDS.items():
        lines += ['', f'{title:<{width}}{heads}']
        lines += [row(method['name'], method['mean'][kind]) for method in results['methods']]
    scenes = len(first['scenes'])
    if 1 < scenes < len(first['frames']):
        for kind, title in KINDS.items():
            lines += ['', f'{f"{scenes} scenes, {title}":<{width}}{heads}']
            lines += [
                row(method['name'], method['mean_over_scenes'][kind])
                for method in results['methods']
            ]
    for kind, title in KINDS.items():
        lines += ['', f'{first["name"] + ", " + title:<{width}}{heads}']
        lines += [row(name, errors) for name, errors in _bins(results, kind)]
    lines += [
        '',
        f'{"":<{width}}{"true / predicted":>18}{"tilted Abs Rel":>16}{"edges off":>12}'
        f'{"edge F":>9}{"style change":>14}',
    ]
    for method in results['methods']:
        mean, boundary, change = (
            method['mean'],
            method['mean']['boundary'],
            method['style_change'],
        )
        lines.append(
            f'{method["name"]:<{width}}'
            f'{mean["median_ratio"]:9.3f} ± {mean["median_ratio_deviation"]:<6.3f}'
            f'{mean["tilted_abs_rel"]:16.3f}'
            + (
                f'{boundary["distance_px"]:9.2f} px{boundary["f_score"]:9.3f}'
                if boundary
                else f'{"-":>12}{"-":>9}'
            )
            + (f'{"-":>14}' if change is None else f'{change:14.4f}')
        )
    if compared(results):
        lines += [
            '',
            f'{first["name"] + " less another, by frame":<{width}}'
            f'{"Abs Rel":>18}{"< 1.25":>18}{"unscaled Abs Rel":>20}{"< 1.25":>18}',
        ]
    for name, figures in compared(results).items():
        lines.append(
            f'{name:<{width}}'
            + ''.join(
                f'{less:{columns - 8}.3f} ± {error:.3f}'
                for columns, (less, error) in zip((18, 18, 20, 18), figures)
            )
        )
    return '\n'.join(lines)


def compared(results: dict[str, Any]) -> dict[str, list[list[float]]]:
    """
    Pick what is shown of how the network compares with the other methods.

    :param results: as `evaluate.evaluate` returns them.
    :returns: by method [mean, standard error] of the network's Abs Rel and < 1.25 less the
        method's, median-scaled and then unscaled; empty where one frame was measured.
    """
    return {
        method['name']: [
            method['network_less_this'][kind][error]
            for kind in KINDS
            for error in ('abs_rel', 'delta_1')
        ]
        for method in results['methods']
        if method['network_less_this']
    }


def _bins(results: dict[str, Any], kind: str) -> list[tuple[str, dict[str, float]]]:
    """Name the first method's distance bins that have pixels."""
    edges = pairwise(results['protocol']['bin_edges_m'])
    means = results['methods'][0]['mean']['by_distance'][kind]
    return [
        (f'{low:g} to {high:g} m', errors)
        for (low, high), errors in zip(edges, means)
        if errors is not None
    ]


def write_page(path: Path, results: dict[str, Any], frames: Sequence[FramePanels]) -> None:
    """
    Write the page; it needs no other file and no network.

    :param path: the HTML file, overwritten.
    :param results: as `evaluate.evaluate` returns them.
    :param frames: the pictures to show.
    """
    page = _ENVIRONMENT.from_string(_PAGE).render(
        results=results,
        kinds=KINDS,
        heads=ERROR_HEADS,
        compared=compared(results),
        bins={kind: _bins(results, kind) for kind in KINDS},
        frames=[
            (frame.title, [(caption, _data_uri(picture)) for caption, picture in frame.panels])
            for frame in frames
        ],
    )
    path.write_text(page, encoding='utf-8')


def _data_uri(picture: np.ndarray) -> str:
    """Return (H, W, 3) uint8 RGB as an embedded JPEG."""
    _, jpeg = cv2.imencode(
        '.jpg', cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88]
    )
    return 'data:image/jpeg;base64,' + base64.b64encode(jpeg.tobytes()).decode('ascii')


_ENVIRONMENT = jinja2.Environment(
    autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
)
_PAGE = """\
{% macro errors(values) %}
{% for value in values.values() %}<td>{{ '%.3f' % value }}</td>{% endfor %}
{% endmacro %}
{% macro head(first) %}
<tr><th>{{ first }}</th>{% for name in heads %}<th>{{ name }}</th>{% endfor %}</tr>
{% endmacro %}
{% macro row(name, values) %}
<tr><th>{{ name }}</th>{{ errors(values) }}</tr>
{% endmacro %}
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{ results.title }}</title>
<style>
  body { font: 15px/1.45 system-ui, sans-serif; max-width: 100em; margin: 2em auto;
         padding: 0 1em; color: #222; background: #fff; }
  table { border-collapse: collapse; margin: .6em 0 1.6em; }
  th, td { padding: .2em .8em; text-align: right; border-bottom: 1px solid #ddd;
           font-variant-numeric: tabular-nums; }
  th:first-child { text-align: left; font-weight: normal; }
  tr:first-child th { font-weight: 600; border-bottom: 2px solid #888; }
  .frame { display: grid; grid-template-columns: repeat(3, 1fr); gap: .5em; margin-bottom: 2em; }
  figure { margin: 0; }  figure img { width: 100%; display: block; }
  figcaption, .note { color: #666; font-size: 90%; }
  .warning { background: #fff3cd; padding: .6em 1em; }
</style>
<h1>{{ results.title }}</h1>
<p>Weights {{ results.weights }}; data {{ results.dataset }} in {{ results.root }}.
True depth counts from {{ results.protocol.min_depth_m }} to {{ results.protocol.max_depth_m }} m
{{ 'in the Garg crop' if results.protocol.crop else 'in the whole image' }}; predictions are
clamped to that range, then scaled by the ratio of the medians where it says so. Every figure is
the mean over images.</p>
{% if results.skipped %}
<div class="warning">{{ results.skipped | length }} frames could not be scored and are in no
average:<ul>{% for reason in results.skipped %}<li>{{ reason }}</li>
{% endfor %}</ul></div>
{% endif %}
{% for kind, title in kinds.items() %}
<h2>{{ title | capitalize }}</h2>
<table>
{{ head('') }}
{% for method in results.methods %}
{{ row(method.name, method.mean[kind]) }}
{% endfor %}
{% if results.methods[0].scenes | length > 1 %}
{{ row(results.methods[0].name ~ ', mean over scenes', results.methods[0].mean_over_scenes[kind])
}}
{% endif %}
</table>
{% endfor %}
<h2>Scale, tilt, boundaries, style</h2>
<table>
<tr><th></th><th>true / predicted median</th><th>Abs Rel, scaled and tilted</th>
<th>depth edges off</th><th>edge F-score</th>
<th>change between styles</th></tr>
{% for method in results.methods %}
<tr><th>{{ method.name }}</th>
<td>{{ '%.3f ± %.3f' % (method.mean.median_ratio, method.mean.median_ratio_deviation) }}</td>
<td>{{ '%.3f' % method.mean.tilted_abs_rel }}</td>
{% if method.mean.boundary %}
<td>{{ '%.2f px' % method.mean.boundary.distance_px }}</td>
<td>{{ '%.3f' % method.mean.boundary.f_score }}</td>
{% else %}
<td>-</td><td>-</td>
{% endif %}
<td>{{ '-' if method.style_change is none else '%.4f' % method.style_change }}</td></tr>
{% endfor %}
</table>
<p class="note">Depth edges need dense truth; the change between styles needs the same frames in
several style variants.</p>
{% if compared %}
<table>
<tr><th>{{ results.methods[0].name }} less another, by frame</th><th>Abs Rel</th><th>&lt; 1.25</th>
<th>unscaled Abs Rel</th><th>&lt; 1.25</th></tr>
{% for name, figures in compared.items() %}
<tr><th>{{ name }}</th>
{% for mean, error in figures %}<td>{{ '%.3f ± %.3f' % (mean, error) }}</td>{% endfor %}</tr>
{% endfor %}
</table>
<p class="note">Mean over the frames ± its standard error.</p>
{% endif %}
<h2>By true distance</h2>
{% for kind, title in kinds.items() %}
<table>
{{ head(results.methods[0].name ~ ', ' ~ title) }}
{% for name, values in bins[kind] %}
{{ row(name, values) }}
{% endfor %}
</table>
{% endfor %}
{% if frames %}
<h2>Frames, from the best to the worst</h2>
{% for title, panels in frames %}
<h3>{{ title }}</h3>
<div class="frame">
{% for caption, uri in panels %}
<figure><img src="{{ uri }}" alt="{{ caption }}"><figcaption>{{ caption }}</figcaption></figure>
{% endfor %}
</div>
{% endfor %}
{% endif %}
{% if results.methods[0].scenes | length > 1 %}
<h2>By scene, median-scaled</h2>
<table>
{{ head('') }}
{% for name, scene in results.methods[0].scenes.items() %}
{{ row('%s (%d)' % (name, scene.frames), scene.median_scaled) }}
{% endfor %}
</table>
{% endif %}
</html>
"""
