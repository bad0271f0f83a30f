"""Procedural rooms: walls, furniture, clutter and lamps, seen by a hand-held camera."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from . import camera as cameras
from . import furniture, light, props, viewpoints
from .cast import Cast
from .furniture import Kit
from .meshes import box, cushion, Material, merge, Mesh, place, quads, topple, transform, tube
from .scene import Scene
from .textures import colour, Library, PLAIN


class _Room(Kit):
    """The meshes of a room while it is furnished, and the floor space that is taken."""

    def __init__(
        self,
        rng: Generator,
        library: Library,
        length: float,
        width: float,
        height: float,
        cast: Cast | None,
    ) -> None:
        super().__init__(rng, library, cast)
        self.length, self.width, self.height = length, width, height
        self.solid: list[Mesh] = []
        self.cutout: list[Mesh] = []
        self.taken: list[tuple[float, float, float]] = []  # x, y, radius
        self.openings: dict[int, tuple[float, float]] = {}  # wall: from, to along it

    def is_free(self, x: float, y: float, radius: float) -> bool:
        return all(np.hypot(x - a, y - b) > radius + r for a, b, r in self.taken)

    def stand(self, mesh: Mesh, x: float, y: float, turn: float, radius: float) -> None:
        self.solid.append(place(mesh, (x, y, 0.0), turn))
        self.taken.append((x, y, radius))

    def wall_length_m(self, side: int) -> float:
        return self.length if side % 2 else self.width

    def is_wall(self, side: int, along: float, wide: float) -> bool:
        """Tell whether a wall has no opening in this part of it."""
        start, end = self.openings.get(side, (np.inf, -np.inf))
        return along + wide / 2 < start or along - wide / 2 > end

    def wall_pieces(self, side: int) -> list[tuple[float, float]]:
        """Return the (middle, width) of what an opening leaves of a wall: one piece or two."""
        half = self.wall_length_m(side) / 2
        start, end = self.openings.get(side, (half, half))
        return [((a + b) / 2, b - a) for a, b in ((-half, start), (end, half)) if b > a]


def indoor_scene(
    rng: Generator,
    library: Library,
    frames: int,
    width_px: int,
    height_px: int,
    cast: Cast | None = None,
    distribution: viewpoints.Cameras = 'ordinary',
) -> Scene:
    """
    Build one room with what stands in it.

    :param rng: the only source of chance.
    :param frames: number of cameras.
    :param cast: models that take the place of most of the furniture.
    :param distribution: 'any' gives most frames another camera, and adds halls of up to 40 m.
    """
    kind = str(
        rng.choice(
            ['living', 'office', 'bedroom', 'kitchen', 'corridor', 'store'],
            p=[0.27, 0.2, 0.14, 0.17, 0.1, 0.12],
        )
    )
    length, width = rng.uniform(3.0, 8.0), rng.uniform(2.6, 6.0)
    if rng.random() < 0.15:  # a hall
        length, width = rng.uniform(6, 12), rng.uniform(4, 8)
    if kind == 'corridor':
        length, width = rng.uniform(6, 14), rng.uniform(1.5, 2.6)
    height, is_hall = rng.uniform(2.3, 3.2), False
    if distribution == 'any':
        kind, is_hall, length, width, height = _hall_or(rng, kind, length, width, height)
    room = _Room(rng, library, length, width, height, cast)
    _shell(room)
    if kind != 'corridor' and rng.random() < 0.3:
        _partition(room)
    _walls(room, kind)
    _along_walls(room, kind)
    if is_hall:
        _aisles(room, kind)
    _middle(room, kind)
    for _ in range(4 if is_hall else 1):
        _scatter(room)
    if rng.random() < 0.12:
        _person(room)
    lamps = _lamps(room)
    views = _cameras(room, frames, width_px, height_px)
    solid, cutout = merge(room.solid), merge(room.cutout)
    lean = np.eye(3)
    if rng.random() < 0.35:  # walls that do not meet at right angles, and all with them
        lean = np.array([[1, rng.uniform(-0.4, 0.4), 0], [0, 1, 0], [0, 0, 1]])
        solid, cutout = transform(solid, lean), transform(cutout, lean)
        lamps = [lean @ lamp for lamp in lamps]
        views = [view._replace(position=lean @ view.position) for view in views]
    looks = {
        name: light.indoor(name, np.random.default_rng([int(rng.integers(2**31)), number]), lamps)
        for number, name in enumerate(light.VARIATIONS)
    }
    scene = Scene(solid, cutout, library, views, looks, ceiling_m=room.height - 0.3)
    if distribution == 'any':
        scene = viewpoints.varied(rng, scene, _ground(room, lean))
    return scene if cast is None else cast.complete(scene)


def _hall_or(
    rng: Generator, kind: str, length: float, width: float, height: float
) -> tuple[str, bool, float, float, float]:
    """Return kind, whether it is a hall, length, width and height: of a hall, or as given."""
    if kind == 'corridor':
        return kind, False, length * rng.uniform(1, 3) ** 0.8, width, height
    if rng.random() < 0.65:
        return kind, False, length, width, height
    hall = str(rng.choice(['shop', 'workshop', 'warehouse'], p=[0.4, 0.25, 0.35]))
    longest, highest = {'shop': (25, 4.5), 'workshop': (25, 6), 'warehouse': (40, 9)}[hall]
    length = float(np.exp(rng.uniform(np.log(8), np.log(longest))))
    return hall, True, length, length * rng.uniform(0.4, 0.9), rng.uniform(2.8, highest)


def _aisles(room: _Room, kind: str) -> None:
    """Stand rows of shelves across a hall, with aisles between them, or benches in a workshop."""
    rng = room.rng
    tall = rng.uniform(1.3, 2.2) if kind == 'warehouse' else rng.uniform(0.7, 1.1)
    maker = (furniture.bookcase, furniture.desk)[kind == 'workshop']
    scale = 1.0 if kind == 'workshop' else min(tall, (room.height - 0.3) / 2.3)
    aisle_m, share = rng.uniform(1.6, 4.0), rng.uniform(0.4, 0.95)
    different = [maker(room) for _ in range(4)]
    deepest = scale * max(deep for _, _, deep in different)
    for x in np.arange(
        -room.length / 2 + 2.2, room.length / 2 - 2.2, aisle_m + 2 * deepest
    ).tolist():
        y = -room.width / 2 + 1.2
        while y < room.width / 2 - 1.6:
            mesh, wide, deep = different[rng.integers(len(different))]
            wide, deep = wide * scale, deep * scale
            middle = y + wide / 2
            free = room.is_free(x, middle, 0.2) and middle + wide / 2 < room.width / 2 - 0.8
            if free and rng.random() < share:
                for turn in (0.0, np.pi):  # back to back
                    room.solid.append(place(mesh, (x, middle, 0), turn, scale))
                for place_m in np.arange(y + 0.3, y + wide, 0.6).tolist():
                    room.taken.append((x, place_m, deep))
            y += wide


def _ground(room: _Room, lean: np.ndarray) -> viewpoints.Ground:
    """Say where in a room cameras can be; ``lean`` (3, 3) is how its walls lean."""

    def draw(
        rng: Generator, number: int, where: viewpoints.Where
    ) -> tuple[np.ndarray, float, float] | None:
        x, y = rng.uniform(-1, 1, 2) * (room.length / 2 - 0.2, room.width / 2 - 0.2)
        if not room.is_free(x, y, 0.05):
            return None
        return (lean @ (x, y, 0.0))[:2], 0.0, 0.0

    return viewpoints.Ground(draw, room.height)


def _shell(room: _Room) -> None:
    rng, x, y, z = room.rng, room.length / 2, room.width / 2, room.height
    floor = room.material(
        'parquet',
        'carpet',
        'tiles',
        'carpet',
        'wood',
        'concrete',
        size_m=rng.uniform(0.8, 3),
        gloss=rng.uniform(0, 0.3) * (rng.random() < 0.5),
    )
    room.solid.append(quads(np.array([[(-x, -y, 0), (-x, y, 0), (x, y, 0), (x, -y, 0)]]), floor))
    ceiling = room.material(
        'wallpaper', 'plain', 'tiles' if rng.random() < 0.3 else 'plaster', size_m=2.4
    )
    room.solid.append(quads(np.array([[(-x, y, z), (-x, -y, z), (x, -y, z), (x, y, z)]]), ceiling))
    kinds = (
        ('wallpaper', 'wallpaper', 'plain', 'plain')
        if rng.random() < 0.75
        else ('plaster', 'brick', 'concrete', 'wood', 'tiles')
    )
    tint = colour(rng, (0, 0.1) if rng.random() < 0.65 else (0.1, 0.5), (0.5, 1.0))
    walls = room.material(*kinds, size_m=rng.uniform(1.5, 4), tint=tint)
    skirting = room.paint((0.2, 1))
    for side, ax, ay, bx, by in (
        (0, x, y, x, -y),
        (2, -x, -y, -x, y),
        (1, -x, y, x, y),
        (3, x, -y, -x, -y),
    ):
        one = (
            walls
            if side or rng.random() < 0.75
            else room.material('wallpaper', 'brick', 'wood', 'plaster', 'tiles', size_m=2)
        )
        if rng.random() < 0.12:
            _opening(room, side, one, floor, ceiling)
        else:
            room.solid.append(
                quads(np.array([[(ax, ay, z), (bx, by, z), (bx, by, 0), (ax, ay, 0)]]), one)
            )
    if rng.random() < 0.8:
        for side in range(4):
            for along, wide in room.wall_pieces(side):
                board = box((0.03, wide, 0.1), skirting, (0.015, 0, 0.05))
                _hang(room, side, along, board)
    if rng.random() < 0.25:  # a beam or a pillar
        beam = room.material('wood', 'concrete', 'plaster')
        at = rng.uniform(-0.3, 0.3) * room.length
        room.solid.append(box((0.3, room.width, 0.35), beam, (at, 0, z - 0.17)))
    if rng.random() < 0.12:
        spot = rng.uniform(-0.3, 0.3) * room.length, rng.uniform(-0.3, 0.3) * room.width
        room.solid.append(
            box((0.35, 0.35, z), room.material('concrete', 'plaster', 'brick'), (*spot, z / 2))
        )
        room.taken.append((*spot, 0.35))


def _opening(room: _Room, side: int, wall: Material, floor: Material, ceiling: Material) -> None:
    """Build a wall with a wide opening, and a part of the next room behind it."""
    rng, length = room.rng, room.wall_length_m(side)
    wide = rng.uniform(0.8, min(2.4, length - 0.6))
    along = rng.uniform(-1, 1) * (length - wide - 0.4) / 2
    start, end = along - wide / 2, along + wide / 2
    room.openings[side] = start, end
    tall = min(rng.uniform(1.95, 2.4), room.height - 0.05)
    deep, thick, half = rng.uniform(1.2, 5), rng.uniform(0.08, 0.3), length / 2 + rng.uniform(0, 2)
    far = room.material(
        'wallpaper', 'plain', 'plaster', 'brick', size_m=2, tint=colour(rng, (0, 0.4), (0.4, 1.0))
    )
    z = room.height
    parts = [
        *(
            box((thick, piece, z), wall, (-thick / 2, middle, z / 2))
            for middle, piece in room.wall_pieces(side)
        ),
        box((thick, wide, z - tall), wall, (-thick / 2, along, (z + tall) / 2)),
        quads(
            np.array(
                [
                    [(-deep, -half, z), (-deep, half, z), (-deep, half, 0), (-deep, -half, 0)],
                    [(-deep, half, z), (0, half, z), (0, half, 0), (-deep, half, 0)],
                    [(0, -half, z), (-deep, -half, z), (-deep, -half, 0), (0, -half, 0)],
                ]
            ),
            far,
        ),
        quads(
            np.array([[(-deep, half, 0), (0, half, 0), (0, -half, 0), (-deep, -half, 0)]]),
            floor if rng.random() < 0.6 else room.material('tiles', 'parquet', 'carpet'),
        ),
        quads(
            np.array([[(-deep, -half, z), (0, -half, z), (0, half, z), (-deep, half, z)]]), ceiling
        ),
    ]
    for spot in np.arange(-half + 0.6, half - 0.6, 1.6).tolist():
        maker = (furniture.bookcase, furniture.cabinet, furniture.sofa)[rng.integers(3)]
        if deep > 1.8 and rng.random() < 0.5:
            parts.append(place(maker(room)[0], (0.02 - deep, spot, 0)))
    _hang(room, side, 0.0, merge(parts))


def _partition(room: _Room) -> None:
    """Let a wall or a screen run part of the way across: corners that hide what is behind."""
    rng = room.rng
    at, side = rng.uniform(-0.3, 0.3) * room.length, rng.choice([-1, 1])
    reach = rng.uniform(0.3, 0.65) * room.width
    tall = room.height if rng.random() < 0.6 else rng.uniform(1.1, 1.6)
    material = room.material('wallpaper', 'plain', 'plaster', 'wood', 'fabric', size_m=2)
    middle = side * (room.width - reach) / 2
    room.solid.append(box((0.1, reach, tall), material, (at, middle, tall / 2)))
    for y in np.arange(middle - reach / 2, middle + reach / 2 + 0.2, 0.4).tolist():
        room.taken.append((at, y, 0.25))


def _wall_frame(room: _Room, side: int) -> tuple[float, float, float, float]:
    """Return (x, y, direction into the room, length) of the middle of wall 0 to 3."""
    x, y = room.length / 2, room.width / 2
    spot = ((x, 0, np.pi), (0, y, -np.pi / 2), (-x, 0, 0.0), (0, -y, np.pi / 2))[side]
    return *spot, room.wall_length_m(side)


def _hang(room: _Room, side: int, along: float, mesh: Mesh) -> None:
    """Put a mesh at a wall: its x axis points into the room, its origin is on the wall."""
    x, y, turn, _ = _wall_frame(room, side)
    room.solid.append(place(mesh, (x - along * np.sin(turn), y + along * np.cos(turn), 0), turn))


def _walls(room: _Room, kind: str) -> None:
    """Put doors, windows, curtains, pictures and shelves on the walls."""
    rng = room.rng
    for side in range(4):
        length = _wall_frame(room, side)[3]
        spots = np.arange(-length / 2 + 0.8, length / 2 - 0.5, 1.3) + rng.uniform(-0.2, 0.2)
        for along in spots:
            choice = rng.random()
            if not room.is_wall(side, along, 1.4):
                continue
            if choice < 0.1:
                frame = room.paint((0.2, 1))
                _hang(
                    room,
                    side,
                    along,
                    merge(
                        [
                            box((0.08, 1.06, 2.1), frame, (0, 0, 1.05)),
                            furniture.panel(
                                room.material('door', 'wood', 'plain'), 0.9, 2.02, 1.01, 0.05
                            ),
                            box(
                                (0.1, 0.12, 0.03), room.paint((0.5, 0.9), 0.6), (0.08, 0.36, 1.02)
                            ),
                        ]
                    ),
                )
            elif choice < 0.24:
                wide, tall = rng.uniform(0.7, 1.25), rng.uniform(0.8, 1.6)
                glow = rng.uniform(0.4, 2.0)
                pane = Material(room.library.pick(rng, 'outlook'), glow=glow)
                parts = [
                    furniture.panel(pane, wide, tall, 1.5, 0.03),
                    box((0.2, wide + 0.1, 0.04), room.paint((0.5, 1)), (0.1, 0, 1.5 - tall / 2)),
                ]
                if rng.random() < 0.6:
                    parts += furniture.curtains(room, wide)
                elif rng.random() < 0.4:  # a radiator
                    parts.append(
                        box(
                            (0.1, wide, 0.55),
                            room.material('shutter', tint=np.full(3, 0.9)),
                            (0.08, 0, 0.45),
                            fit=True,
                        )
                    )
                _hang(room, side, along, merge(parts))
            elif choice < 0.6:
                for _ in range(rng.integers(1, 3)):
                    wide, tall = rng.uniform(0.2, 1.0), rng.uniform(0.2, 0.9)
                    z = rng.uniform(1.2, 1.9)
                    shift = rng.uniform(-0.3, 0.3)
                    flat = rng.random() < 0.4
                    picture = furniture.panel(
                        room.material('poster', 'poster', 'screen', 'graffiti', tint=np.ones(3)),
                        wide,
                        tall,
                        z,
                        0.006 if flat else 0.025,
                    )
                    parts = (
                        [picture]
                        if flat
                        else [
                            picture,
                            box((0.02, wide + 0.06, tall + 0.06), room.paint(), (0.012, 0, z)),
                        ]
                    )
                    _hang(room, side, along + shift, merge(parts))
            elif choice < 0.7 and kind != 'corridor':
                _hang(room, side, along, furniture.wall_shelf(room))


def _along_walls(room: _Room, kind: str) -> None:
    rng = room.rng
    makers = {
        'living': [furniture.sofa, furniture.bookcase, furniture.cabinet, furniture.sofa],
        'office': [furniture.bookcase, furniture.cabinet, furniture.desk],
        'bedroom': [furniture.bed, furniture.cabinet, furniture.bookcase],
        'kitchen': [furniture.cabinet, furniture.cabinet, furniture.bookcase],
        'corridor': [furniture.cabinet],
        'store': [furniture.bookcase, furniture.cabinet, furniture.desk],
        'shop': [furniture.bookcase, furniture.cabinet],
        'workshop': [furniture.bookcase, furniture.cabinet, furniture.desk],
        'warehouse': [furniture.bookcase, furniture.cabinet],
    }[kind]
    for side in range(4):
        x, y, turn, length = _wall_frame(room, side)
        along = -length / 2 + rng.uniform(0.3, 1.0)
        while along < length / 2 - 0.6:
            if rng.random() < (0.25 if kind == 'corridor' else 0.6):
                mesh, wide, deep = makers[rng.integers(len(makers))](room)
                middle = along + wide / 2
                spot = (
                    x - middle * np.sin(turn) + deep / 2 * np.cos(turn),
                    y + middle * np.cos(turn) + deep / 2 * np.sin(turn),
                )
                if (
                    middle + wide / 2 < length / 2 - 0.1
                    and room.is_wall(side, middle, wide)
                    and deep < 0.45 * min(room.length, room.width)
                    and room.is_free(*spot, max(wide, deep) * 0.42)
                ):
                    _hang(room, side, middle, place(mesh, (0.02, 0, 0)))
                    room.taken.append((*spot, max(wide, deep) * 0.5))
                along += wide
            along += rng.uniform(0.1, 1.0)


def _middle(room: _Room, kind: str) -> None:
    rng = room.rng
    if kind == 'corridor':
        return
    if rng.random() < 0.4:
        wide, long = rng.uniform(1, room.width * 0.6), rng.uniform(1, room.length * 0.6)
        room.solid.append(
            quads(
                np.array(
                    [
                        [
                            (-long / 2, -wide / 2, 0.008),
                            (-long / 2, wide / 2, 0.008),
                            (long / 2, wide / 2, 0.008),
                            (long / 2, -wide / 2, 0.008),
                        ]
                    ]
                ),
                room.material('rug', 'carpet', 'fabric'),
                fit=True,
            )
        )
    for _ in range(rng.integers(0, 4)):
        maker = None  # of what else stands along walls
        if rng.random() < 0.2:
            maker = (furniture.sofa, furniture.cabinet, furniture.bookcase)[rng.integers(3)]
        elif kind in ('office', 'store') and rng.random() < 0.6:
            maker = furniture.desk
        if maker:
            mesh, wide, long = maker(room)
            mesh, tall = place(mesh, (-long / 2, 0, 0)), 0.0
        else:
            mesh, long, wide, tall = furniture.table(room, rng.random() < 0.3)
        radius = np.hypot(long, wide) / 2
        x = rng.uniform(-1, 1) * max(0.0, room.length / 2 - radius - 0.2)
        y = rng.uniform(-1, 1) * max(0.0, room.width / 2 - radius - 0.2)
        turn = rng.choice([0, np.pi / 2]) + rng.normal(0, 0.1 if rng.random() < 0.7 else 0.7)
        if not room.is_free(x, y, radius * 0.9):
            continue
        room.stand(mesh, x, y, turn, radius)
        for angle in rng.uniform(0, 2 * np.pi, rng.integers(0, 6) if tall > 0.6 else 0):
            reach = (long * abs(np.cos(angle)) + wide * abs(np.sin(angle))) / 2 + 0.15
            spot = (x + reach * np.cos(angle + turn), y + reach * np.sin(angle + turn))
            if max(abs(spot[0]) - room.length / 2, abs(spot[1]) - room.width / 2) < -0.35:
                room.stand(
                    furniture.chair(room), *spot, angle + turn + np.pi + rng.normal(0, 0.3), 0.3
                )


def _scatter(room: _Room) -> None:
    """Put boxes, bins, plants, bags and loose chairs on the floor."""
    rng = room.rng
    for _ in range(rng.integers(0, 10)):
        x = rng.uniform(-1, 1) * (room.length / 2 - 0.35)
        y = rng.uniform(-1, 1) * (room.width / 2 - 0.35)
        if not room.is_free(x, y, 0.3):
            continue
        kind, turn = rng.integers(5), rng.uniform(0, 2 * np.pi)
        model = room.model('clutter') if kind > 1 else None
        if model is not None:
            room.stand(model, x, y, turn, max(furniture.extent_m(model)[:2]) / 2)
        elif kind == 0:
            solid, leaves = furniture.plant(room)
            room.stand(solid, x, y, turn, 0.3)
            room.cutout.append(place(leaves, (x, y, 0), turn))
        elif kind == 1:
            room.stand(furniture.chair(room), x, y, turn, 0.35)
        else:
            level, parts = 0.0, []
            for _ in range(rng.integers(1, 4)):
                size = rng.uniform([0.2, 0.2, 0.12], [0.6, 0.5, 0.45])
                material = room.material(
                    'wood', 'plain', 'poster', 'fabric', tint=colour(rng, (0, 0.6), (0.3, 1))
                )
                shape = box if kind < 4 else cushion
                parts.append(shape(size, material, (0, 0, level + size[2] / 2)))
                level += size[2]
            heap = merge(parts)
            if rng.random() < 0.35:  # fallen over, or leaning
                heap = topple(heap, rng.uniform(-1.6, 1.6), rng.uniform(-1.6, 1.6))
            room.stand(heap, x, y, turn, 0.35)


def _person(room: _Room) -> None:
    """Let somebody stand where there is room."""
    rng = room.rng
    for _ in range(8):
        x = rng.uniform(-1, 1) * (room.length / 2 - 0.4)
        y = rng.uniform(-1, 1) * (room.width / 2 - 0.4)
        if room.is_free(x, y, 0.35):
            person = room.model('person') or props.person(rng, room.library)
            room.stand(person, x, y, rng.uniform(0, 2 * np.pi), 0.35)
            return


def _lamps(room: _Room) -> list[np.ndarray]:
    """Hang the lamps; the first is the one that casts shadows."""
    rng = room.rng
    positions = []
    for _ in range(rng.integers(1, 4)):
        at = np.append(rng.uniform(-0.35, 0.35, 2) * (room.length, room.width), room.height - 0.35)
        positions.append(at)
        shade = Material(PLAIN, (1, 1, 0.9), glow=2.0)
        if rng.random() < 0.2:  # one more hangs on a cord, unlit
            level = rng.uniform(1.3, 1.9)
            x, y = rng.uniform(-0.35, 0.35, 2) * (room.length, room.width)
            room.solid.append(
                tube(np.array([(x, y, level), (x, y, room.height)]), 0.01, room.paint(), 5)
            )
            room.solid.append(
                cushion(rng.uniform(0.15, 0.5, 3), room.paint((0.3, 1.0)), (x, y, level), 3)
            )
        if rng.random() < 0.6:
            room.solid.append(cushion((0.3, 0.3, 0.12), shade, (*at[:2], room.height - 0.07), 3))
        else:
            room.solid.append(box((1.2, 0.15, 0.06), shade, (*at[:2], room.height - 0.03)))
    return positions


def _cameras(room: _Room, frames: int, width_px: int, height_px: int) -> list[cameras.Camera]:
    """Walk a hand-held camera through the room; it looks into it, or down at what is near."""
    rng = room.rng
    hfov_rad = np.radians(rng.uniform(50, 75))
    intrinsics = cameras.pinhole(
        hfov_rad,
        width_px,
        height_px,
        (rng.normal(0, 0.01) * width_px, rng.normal(0, 0.01) * height_px),
    )
    views = []
    for _ in range(frames):
        near = _before_a_thing(room, hfov_rad) if rng.random() < 0.4 else None
        if near is not None:
            spot, yaw_rad = near
            pitch_rad, height_m = np.radians(rng.uniform(-50, -8)), rng.uniform(0.95, 1.75)
        else:
            spot, yaw_rad = _view_into(room, hfov_rad)
            pitch_rad = np.radians(np.clip(rng.normal(-12, 13), -50, 25))
            height_m = rng.uniform(0.9, 1.8)
        height_m = min(height_m, room.height - 0.6)
        roll_rad = rng.normal(0, 0.07 if rng.random() < 0.75 else 0.3)
        views.append(
            cameras.look(
                (*spot, height_m),
                yaw_rad,
                float(pitch_rad),
                roll_rad,
                intrinsics,
                width_px,
                height_px,
            )
        )
    return views


def _view_into(room: _Room, hfov_rad: float) -> tuple[np.ndarray, float]:
    """
    Choose a place (x, y) to stand at and a direction with room before the camera.

    Who takes a picture of a room steps back first: views that one wall or cupboard fills are
    few. How much room there must be differs from view to view.
    """
    rng = room.rng
    best: tuple[float, np.ndarray, float] = -np.inf, np.zeros(2), 0.0
    wanted_m = rng.uniform(1.2, 4.0)
    for _ in range(24):
        spot = rng.uniform(-1, 1, 2) * (room.length / 2 - 0.3, room.width / 2 - 0.3)
        yaw_rad = float(rng.uniform(-np.pi, np.pi))
        if room.is_free(spot[0], spot[1], 0.15):
            free_m = _free_ahead_m(room, room.taken, spot, yaw_rad, hfov_rad)
            best = max(best, (free_m, spot, yaw_rad), key=lambda view: view[0])
            if best[0] >= wanted_m:
                break
    return best[1:]


def _free_ahead_m(
    room: _Room,
    things: list[tuple[float, float, float]],
    spot: np.ndarray,
    yaw_rad: float,
    hfov_rad: float,
) -> float:
    """Return how far walls are, or twice how far ``things`` are, which fill less of the view."""
    angles = yaw_rad + hfov_rad * np.array([-0.3, 0.0, 0.3])
    ways = np.stack([np.cos(angles), np.sin(angles)], 1)
    to_walls_m = np.array([room.length, room.width]) / 2 - np.sign(ways) * spot
    free_m = float((to_walls_m / (np.abs(ways) + 1e-9)).min())
    for x, y, radius in things:
        away = np.array([x, y]) - spot
        turn = np.angle(np.exp(1j * (np.arctan2(away[1], away[0]) - yaw_rad)))
        if abs(turn) < hfov_rad / 2:
            free_m = min(free_m, 2 * (float(np.hypot(*away)) - radius))
    return free_m


def _before_a_thing(room: _Room, hfov_rad: float) -> tuple[np.ndarray, float] | None:
    """Choose a place (x, y) close to a table or another thing, and the direction to it, if any."""
    rng = room.rng
    for _ in range(12 if room.taken else 0):
        index = rng.integers(len(room.taken))
        x, y, radius = room.taken[index]
        angle, away_m = rng.uniform(0, 2 * np.pi), radius + rng.uniform(0.3, 1.1)
        spot = np.array([x + away_m * np.cos(angle), y + away_m * np.sin(angle)])
        yaw_rad = float(angle + np.pi + rng.normal(0, 0.2))
        inside = max(abs(spot[0]) - room.length / 2, abs(spot[1]) - room.width / 2) < -0.25
        others = room.taken[:index] + room.taken[index + 1 :]
        if (
            inside
            and room.is_free(spot[0], spot[1], 0.05)
            and _free_ahead_m(room, others, spot, yaw_rad, hfov_rad) > 0.8
        ):
            return spot, yaw_rad
    return None
