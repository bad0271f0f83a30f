"""OpenGL backend: moderngl on EGL, which needs no display and no GPU (Mesa's llvmpipe)."""

from __future__ import annotations

from collections.abc import Callable
import functools
import os
from typing import Any, Concatenate, ParamSpec, TypeVar

import cv2
import moderngl
import numpy as np

from . import camera as cameras
from .camera import Camera
from .light import Light
from .meshes import LAYER, Mesh
from .scene import FAR_M, NEAR_M, Scene
from .textures import Library

_Given = ParamSpec('_Given')
_Made = TypeVar('_Made')
SHADOW_PX, SHADE_PX = 2048, 1024
_PICTURES = 3  # the texture unit of the models' own
SHADOW_RADIUS_M, SHADE_RADIUS_M = 70.0, 60.0  # sun shadows, and darkness under things

_VERTEX = """
#version 330
uniform mat4 world_to_clip;
uniform vec4 camera_plane;  // dot((position, 1), camera_plane) is the depth Z
in vec3 position; in vec3 normal; in vec2 uv; in vec3 tint; in vec3 material;
out vec3 world; out vec3 facing; out vec2 place; out float z;
flat out vec3 colour; flat out vec3 finish;
invariant gl_Position;  // or the two passes over one surface would not meet
void main() {
    gl_Position = world_to_clip * vec4(position, 1.0);
    world = position; facing = normal; place = uv; colour = tint; finish = material;
    z = dot(camera_plane, vec4(position, 1.0));
}
"""

_DEPTH = """
#version 330
uniform sampler2DArray textures, pictures;
in vec2 place; in float z; flat in vec3 finish;
out float depth_m;
void main() {
#ifdef CUTOUT
    if (TEXEL.a < 0.5) discard;
#endif
    depth_m = z;
}
"""

# What a fragment reads: the library that scenes share, or the pictures of the scene's own models.
_SHARED = '#define TEXEL texture(textures, vec3(place, finish.x), -0.7)'
_OWN = '#define TEXEL texture(pictures, vec3(place, -1.0 - finish.x), -0.7)'
# Mipmaps of sparse leaves have less than half alpha all over: holes are those of the picture.
_OWN_HOLES = '#define TEXEL textureLod(pictures, vec3(place, -1.0 - finish.x), 0.0)'

_SKY = """
uniform sampler2DArray textures, pictures;
uniform vec3 eye, key, key_colour, zenith, horizon, ground;
uniform float key_is_lamp, cloud_cover, cloud_layer;
vec3 sky(vec3 d) {
    vec3 base = mix(horizon, zenith, sqrt(clamp(d.z, 0.0, 1.0)));
    vec2 plane = 0.12 * d.xy / (max(d.z, 0.0) + 0.08);
    float cloud = textureLod(textures, vec3(plane, cloud_layer), 0.0).r;
    cloud = smoothstep(0.95 - cloud_cover, 1.25 - cloud_cover, cloud + 0.1);
    base = mix(base, 1.2 * horizon, cloud * smoothstep(0.02, 0.2, d.z));
    float glare = (1.0 - key_is_lamp) * max(dot(d, key), 0.0);
    base += key_colour * (4.0 * pow(glare, 800.0) + 0.25 * pow(glare, 16.0));
    return mix(0.5 * ground + 0.3 * horizon, base, smoothstep(-0.05, 0.0, d.z));
}
"""

_SHADE = (
    """
#version 330
"""
    + _SKY
    + """
uniform mat4 world_to_key, world_to_shade;
uniform sampler2DShadow key_shadow, shade_shadow;
uniform float fog_per_m, wetness;
uniform vec3 lamps[3], lamp_colours[3];
uniform int lamp_count;
in vec3 world; in vec3 facing; in vec2 place;
flat in vec3 colour; flat in vec3 finish;  // layer, gloss, glow
out vec4 radiance;

float lit(sampler2DShadow map, vec4 at, float bias) {
    if (at.w <= 0.0) return 1.0;
    vec3 p = 0.5 + 0.5 * at.xyz / at.w;
    if (any(lessThan(p, vec3(0.0))) || any(greaterThan(p, vec3(1.0)))) return 1.0;
    return textureLod(map, vec3(p.xy, p.z - bias), 0.0);
}

void main() {
    vec3 texture_colour = TEXEL.rgb;
    vec3 albedo = texture_colour * texture_colour * colour;
    vec3 to_eye = eye - world;
    float distance_m = length(to_eye);
    vec3 v = to_eye / distance_m;
    vec3 n = normalize(facing);
    n = dot(n, v) < 0.0 ? -n : n;
    float wet = wetness * smoothstep(0.7, 0.95, n.z);
    float gloss = max(finish.y, 0.6 * wet);
    albedo *= 1.0 - 0.5 * wet;

    vec3 raised = world + 0.15 * n;
    float open_sky = 0.0;
    float dither = fract(52.98 * fract(dot(gl_FragCoord.xy, vec2(0.0671, 0.00584))));
    for (int i = 0; i < 2; i++) {
        float turn = 3.142 * (float(i) + dither);
        vec3 near = raised + vec3(0.7 * cos(turn), 0.7 * sin(turn), 0.0);
        open_sky += 0.5 * lit(shade_shadow, world_to_shade * vec4(near, 1.0), 0.0002);
    }
    float ambient_share = 0.3 + 0.7 * open_sky;
    vec3 to_key = key_is_lamp > 0.5 ? key - world : key;
    float fall_off = key_is_lamp > 0.5 ? 1.0 / (0.5 + dot(to_key, to_key)) : 1.0;
    to_key = normalize(to_key);
    float facing_key = max(dot(n, to_key), 0.0);
    float clearance = mix(0.09, 0.04, key_is_lamp);  // against a surface shading itself
    float shadow = 0.0;
    if (facing_key > 0.0) {
        vec4 clear_of_it = vec4(world + clearance * (n + to_key), 1.0);
        shadow = lit(key_shadow, world_to_key * clear_of_it, 0.0002);
    }
    vec3 key_light = key_colour * fall_off * shadow;
    vec3 light = ambient_share * mix(ground, 0.5 * (zenith + horizon), 0.5 + 0.5 * n.z)
        + key_light * facing_key;
    for (int i = 0; i < lamp_count; i++) {
        vec3 to_lamp = lamps[i] - world;
        float square = dot(to_lamp, to_lamp);
        float facing_lamp = max(dot(n, to_lamp), 0.0) * inversesqrt(square);
        light += lamp_colours[i] * facing_lamp / (0.5 + square);
    }
    vec3 sum = albedo * (light + 2.0 * finish.z);
    if (gloss > 0.0) {
        vec3 r = reflect(-v, n);
        float mirror = gloss * (0.06 + 0.94 * pow(1.0 - max(dot(n, v), 0.0), 4.0));
        sum = mix(sum, sky(r) * ambient_share, mirror)
            + gloss * key_light * pow(max(dot(r, to_key), 0.0), 80.0);
    }
    radiance = vec4(mix(horizon, sum, exp(-fog_per_m * distance_m)), 1.0);
}
"""
)

_SKY_VERTEX = """
#version 330
uniform mat4 clip_to_world;
out vec4 direction;
void main() {
    vec2 corner = vec2(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0);
    gl_Position = vec4(corner, 1.0, 1.0);
    direction = clip_to_world * vec4(corner, 1.0, 1.0);
}
"""

_SKY_PIXEL = (
    """
#version 330
"""
    + _SKY
    + """
in vec4 direction;
out vec4 radiance;
void main() { radiance = vec4(sky(normalize(direction.xyz / direction.w - eye)), 0.0); }
"""
)


class _Part:
    """One mesh in the renderer's memory, with a program for each use of it."""

    def __init__(
        self, context: moderngl.Context, mesh: Mesh, programs: dict[str, moderngl.Program]
    ) -> None:
        self._vertices = context.buffer(np.ascontiguousarray(mesh.vertices, 'f4').tobytes())
        self._faces = context.buffer(np.ascontiguousarray(mesh.faces, 'i4').tobytes())
        attributes = {'position': 3, 'normal': 3, 'uv': 2, 'tint': 3, 'material': 3}
        self._arrays = {}
        for use, program in programs.items():
            layout = ' '.join(
                f'{size}f' if name in program else f'{4 * size}x'
                for name, size in attributes.items()
            )
            names = [name for name in attributes if name in program]
            self._arrays[use] = context.vertex_array(
                program, [(self._vertices, layout, *names)], self._faces
            )

    def draw(self, use: str) -> None:
        self._arrays[use].render()

    def release(self) -> None:
        for array in self._arrays.values():
            array.release()
        self._vertices.release()
        self._faces.release()


def open_context() -> moderngl.Context:
    """
    Start OpenGL without a window.

    :raises Exception: from moderngl where EGL or its driver is missing.
    """
    os.environ.setdefault('LP_NUM_THREADS', '0')  # one process per core beats threads
    settings: dict[str, Any] = {'backend': 'egl'}
    return moderngl.create_standalone_context(**settings)


def _in_own_context(
    method: Callable[Concatenate[GlRenderer, _Given], _Made],
) -> Callable[Concatenate[GlRenderer, _Given], _Made]:
    """Let a method of the renderer draw where it should, whatever context was opened since."""

    @functools.wraps(method)
    def wrapped(self: GlRenderer, *args: _Given.args, **kwargs: _Given.kwargs) -> _Made:
        with self._context:
            return method(self, *args, **kwargs)

    return wrapped


class GlRenderer:
    """
    Draws scenes by rasterising.

    :param width_px: the width of every picture.
    :param height_px: the height of every picture.
    :param supersample: colour samples per pixel along x and along y; depth always has one.
    :raises Exception: from moderngl where EGL or its driver is missing.
    """

    def __init__(self, width_px: int, height_px: int, supersample: int) -> None:
        self._context = context = open_context()
        context.enable(moderngl.DEPTH_TEST)
        context.depth_func = '<='
        self._size = width_px, height_px
        self._fine = width_px * supersample, height_px * supersample
        self._depth_target = context.framebuffer(
            [context.texture(self._size, 1, dtype='f4')], context.depth_renderbuffer(self._size)
        )
        self._colour_target = context.framebuffer(
            [context.texture(self._fine, 4, dtype='f2')], context.depth_renderbuffer(self._fine)
        )
        self._shadow_maps = self._shadow_map(SHADOW_PX), self._shadow_map(SHADE_PX)
        self._shadow, self._shade = (
            context.framebuffer(depth_attachment=texture) for texture in self._shadow_maps
        )
        self._shade_programs = {
            is_own: context.program(_VERTEX, _defining(_SHADE, _OWN if is_own else _SHARED))
            for is_own in (False, True)
        }
        depth = context.program(_VERTEX, _defining(_DEPTH))
        self._programs = {
            (solid, is_own): {
                'depth': depth
                if solid
                else context.program(
                    _VERTEX, _defining(_DEPTH, '#define CUTOUT', _OWN_HOLES if is_own else _SHARED)
                ),
                'colour': self._shade_programs[is_own],
            }
            for solid in (True, False)
            for is_own in (False, True)
        }
        self._sky = context.vertex_array(context.program(_SKY_VERTEX, _SKY_PIXEL), [])
        self._textures: moderngl.TextureArray | None = None
        self._pictures: moderngl.TextureArray | None = None
        self._library: Library | None = None
        self._own: np.ndarray | None = None
        self._parts: dict[tuple[bool, bool], _Part] = {}
        self._shadow_key: tuple | None = None

    def _shadow_map(self, size_px: int) -> moderngl.Texture:
        texture = self._context.depth_texture((size_px, size_px))
        texture.compare_func = '<='
        texture.filter = moderngl.LINEAR, moderngl.LINEAR
        return texture

    @_in_own_context
    def load(self, scene: Scene) -> None:
        """Take over the geometry and the textures."""
        if scene.library is not self._library:
            if self._textures is not None:
                self._textures.release()
            self._textures = self._upload(scene.library.images)
            self._library = scene.library
        if scene.pictures is not self._own:
            if self._pictures is not None:
                self._pictures.release()
            self._pictures = None if scene.pictures is None else self._upload(scene.pictures)
            self._own = scene.pictures
        for part in self._parts.values():
            part.release()
        self._parts = {
            use: _Part(self._context, mesh, self._programs[use])
            for solid, whole in ((True, scene.solid), (False, scene.cutout))
            for use, mesh in _by_texture(solid, whole)
            if len(mesh.faces)
        }
        self._shadow_key = None
        eyes = np.array([camera.position for camera in scene.cameras])
        ahead = np.array([camera.forward for camera in scene.cameras])
        self._centre = (eyes + 0.6 * SHADOW_RADIUS_M * ahead * (1, 1, 0)).mean(0)
        top = np.array([*self._centre[:2], scene.ceiling_m - 200.0])
        self._to_shade = cameras.orthographic(np.array([0, 0, 1.0]), top, SHADE_RADIUS_M, 200.0)
        self._draw_shadow(self._shade, self._to_shade)

    def _upload(self, images: np.ndarray) -> moderngl.TextureArray:
        layers, size = images.shape[:2]
        textures = self._context.texture_array(
            (size, size, layers), 4, np.ascontiguousarray(images).tobytes()
        )
        textures.build_mipmaps()
        textures.filter = moderngl.LINEAR_MIPMAP_NEAREST, moderngl.LINEAR
        return textures

    def _draw_shadow(self, target: moderngl.Framebuffer, world_to_clip: np.ndarray) -> None:
        target.use()
        target.clear()
        self._draw('depth', {'world_to_clip': world_to_clip})

    def _draw(self, use: str, uniforms: dict[str, np.ndarray | float]) -> None:
        assert self._textures is not None, 'load a scene first'
        self._textures.use(0)
        if self._pictures is not None:
            self._pictures.use(_PICTURES)
        for kind, part in self._parts.items():
            program = self._programs[kind][use]
            _set(program, uniforms)
            if 'pictures' in program:
                program['pictures'] = _PICTURES
            part.draw(use)

    @_in_own_context
    def depth(self, camera: Camera) -> np.ndarray:
        """Return Z at the pixel centres, (H, W) float32 metres, +inf where nothing is hit."""
        self._depth_target.use()
        self._depth_target.clear(red=np.inf)
        self._draw(
            'depth',
            {
                'world_to_clip': cameras.projection(camera, NEAR_M, FAR_M),
                'camera_plane': np.append(camera.forward, -camera.forward @ camera.position),
            },
        )
        data = self._depth_target.read(components=1, dtype='f4')
        return np.frombuffer(data, np.float32).reshape(self._size[::-1])

    @_in_own_context
    def picture(self, camera: Camera, light: Light) -> np.ndarray:
        """Return linear radiance, (H, W, 3) float32."""
        to_key = self._cast_shadows(light)
        lamps = np.zeros((3, 3)), np.zeros((3, 3))
        for index, (position, colour) in enumerate(light.lamps):
            lamps[0][index], lamps[1][index] = position, colour
        to_clip = cameras.projection(camera, NEAR_M, FAR_M)
        uniforms: dict[str, np.ndarray | float] = {
            'world_to_clip': to_clip,
            'clip_to_world': np.linalg.inv(to_clip),
            'eye': camera.position,
            'key': light.key,
            'key_colour': light.key_colour,
            'zenith': light.zenith,
            'horizon': light.horizon,
            'ground': light.ground,
            'key_is_lamp': float(light.key_is_lamp),
            'cloud_cover': light.cloud_cover,
            'cloud_layer': float(light.cloud_layer),
            'fog_per_m': light.fog_per_m,
            'wetness': light.wetness,
            'world_to_key': to_key,
            'world_to_shade': self._to_shade,
            'lamps': lamps[0],
            'lamp_colours': lamps[1],
        }
        self._colour_target.use()
        self._colour_target.clear()
        self._shadow_maps[0].use(1)
        self._shadow_maps[1].use(2)
        for program in self._shade_programs.values():
            program['key_shadow'] = 1
            program['shade_shadow'] = 2
            program['lamp_count'] = len(light.lamps)
        # Depth first: then the costly shader runs once per visible sample, and holes need no test.
        self._colour_target.color_mask = (False,) * 4
        self._draw('depth', uniforms)
        self._colour_target.color_mask = (True,) * 4
        self._context.depth_func = '=='
        self._draw('colour', uniforms)
        self._context.depth_func = '<='
        _set(self._sky.program, uniforms)
        self._sky.render(moderngl.TRIANGLES, 3)
        data = self._colour_target.read(components=4, dtype='f2')
        fine = np.frombuffer(data, np.float16).reshape(*self._fine[::-1], 4).astype(np.float32)
        return cv2.resize(fine, self._size, interpolation=cv2.INTER_AREA)[..., :3]

    def _cast_shadows(self, light: Light) -> np.ndarray:
        """Draw the key light's shadow map unless it still holds; return its matrix."""
        if light.key_is_lamp:
            down = cameras.look(
                light.key,
                0,
                -np.pi / 2,
                0,
                cameras.pinhole(2.8, SHADOW_PX, SHADOW_PX),
                SHADOW_PX,
                SHADOW_PX,
            )
            matrix = cameras.projection(down, 0.05, 50.0)
        else:
            matrix = cameras.orthographic(light.key, self._centre, SHADOW_RADIUS_M, 200.0)
        key = tuple(matrix.ravel())
        if key != self._shadow_key:
            self._draw_shadow(self._shadow, matrix)
            self._shadow_key = key
        return matrix


def _defining(source: str, *definitions: str) -> str:
    return source.replace('#version 330', '\n'.join(['#version 330', *definitions]))


def _by_texture(solid: bool, mesh: Mesh) -> list[tuple[tuple[bool, bool], Mesh]]:
    """Divide a mesh into faces that show the shared library, and those that show own pictures."""
    is_own = mesh.vertices[mesh.faces[:, 0], LAYER] < 0
    if not is_own.any():
        return [((solid, False), mesh)]
    parts = ((False, ~is_own), (True, is_own))
    return [((solid, own), mesh._replace(faces=mesh.faces[chosen])) for own, chosen in parts]


def _set(program: moderngl.Program, uniforms: dict[str, np.ndarray | float]) -> None:
    """Write those uniforms that the program uses."""
    for name, value in uniforms.items():
        uniform = program.get(name, None)
        if isinstance(uniform, moderngl.Uniform):
            array = np.asarray(value, np.float32)
            transposed = array.T if array.shape == (4, 4) else array  # GL keeps columns together
            uniform.write(np.ascontiguousarray(transposed).tobytes())
