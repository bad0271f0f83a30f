"""Batches: what they hold, each image once, resumable, shared out over ranks, corrupt files."""

import logging
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

import s2r_depth_ros
from s2r_depth_ros.engine import pixels
from s2r_depth_ros.engine.contrast import equalize
from s2r_depth_ros.engine.letterbox import Letterbox
from s2r_depth_training.data import (
    Augmentation,
    DataError,
    Folder,
    measure_images_per_s,
    PairedLoader,
    Sample,
    style_loader,
    Styles,
    training_loader,
    VKitti,
)
from s2r_depth_training.data.loader import ResumableBatchSampler

SIZE_PX = (16, 32)
FIRST_IMAGE = 'vkitti_1.3.1_rgb/0001/clone/00000.png'


def write_scenes(root, count, height=24, width=48):
    """Write images in the layout of Virtual KITTI whose red and depth are their number."""
    rgb = root / 'vkitti_1.3.1_rgb/0001/clone'
    depth = root / 'vkitti_1.3.1_depthgt/0001/clone'
    rgb.mkdir(parents=True)
    depth.mkdir(parents=True)
    for number in range(count):
        image = np.zeros((height, width, 3), np.uint8)
        image[..., 2] = number
        cv2.imwrite(str(rgb / f'{number:05d}.png'), image)
        cv2.imwrite(
            str(depth / f'{number:05d}.png'),
            np.full((height, width), (number + 1) * 100, np.uint16),
        )
    return root


def write_styles(root, count):
    root.mkdir(exist_ok=True)
    for number in range(count):
        image = np.full((40, 50, 3), number, np.uint8)
        cv2.imwrite(str(root / f'{number:05d}.png'), image)
    return root


def make_loader(root, **options):
    options = {'batch_size': 4, 'max_depth_m': 80.0, **options}
    return training_loader(VKitti(root), size_px=SIZE_PX, **options)


def numbers(batches):
    return [[int(name[-9:-4]) for name in batch.names] for batch in batches]


def equal(a, b):
    return a.names == b.names and all(torch.equal(x, y) for x, y in zip(a[:3], b[:3]))


# ---- What a batch holds


def test_a_batch_holds_images_and_depth_in_the_network_s_range(tmp_path):
    batch = next(make_loader(write_scenes(tmp_path, 4)).epoch(0))
    assert batch.image.shape == (4, 3, *SIZE_PX)
    assert batch.depth.shape == batch.valid_mask.shape == (4, 1, *SIZE_PX)
    assert (batch.image.dtype, batch.depth.dtype, batch.valid_mask.dtype) == (
        torch.float32,
        torch.float32,
        torch.bool,
    )
    for image, depth, (number,) in zip(batch.image, batch.depth, numbers_of_each(batch)):
        # red n / 255 in [0, 1] and n + 1 of 80 m, both brought to [-1, 1]
        torch.testing.assert_close(image[0], torch.full(SIZE_PX, number / 127.5 - 1))
        torch.testing.assert_close(image[1], torch.full(SIZE_PX, -1.0))
        torch.testing.assert_close(depth[0], torch.full(SIZE_PX, (number + 1) / 40 - 1))
    assert batch.valid_mask.all()
    assert batch.corrupt == []


def numbers_of_each(batch):
    return [[number] for number in numbers([batch])[0]]


def test_a_batch_shows_images_as_the_engine_does(tmp_path):
    street = cv2.imread(str(Path(s2r_depth_ros.__file__).parent / 'demo_frames' / 'street_0.jpg'))
    street = cv2.resize(street, SIZE_PX[::-1], interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(write_scenes(tmp_path / 'data', 1, *SIZE_PX) / FIRST_IMAGE), street)
    (tmp_path / 'styles').mkdir()
    cv2.imwrite(str(tmp_path / 'styles' / '0.png'), street)
    letterbox = Letterbox.fixed(SIZE_PX, SIZE_PX)
    assert np.ptp(equalize(street, 4.0).astype(int) - street) > 20
    for limit in (0.0, 4.0):
        expected, mirrored = (
            torch.from_numpy(pixels.to_input(image[..., ::-1], letterbox, limit))
            for image in (street, street[:, ::-1])
        )
        batch = next(make_loader(tmp_path / 'data', contrast_limit=limit).epoch(0))
        torch.testing.assert_close(batch.image[0], expected)
        styles = style_loader(
            Styles(tmp_path / 'styles'),
            size_px=SIZE_PX,
            crop_scale=(1.0, 1.0),
            contrast_limit=limit,
            batch_size=1,
        )
        style = next(styles.epoch(0)).image[0]
        assert any(torch.allclose(style, image) for image in (expected, mirrored))


def test_far_is_the_top_of_the_range_and_not_measured_is_not_valid(tmp_path):
    (tmp_path / 'rgb').mkdir()
    (tmp_path / 'depth').mkdir()
    cv2.imwrite(str(tmp_path / 'rgb/a.png'), np.zeros((16, 32, 3), np.uint8))
    depth_m = np.full((16, 32), 20.0, np.float32)
    depth_m[0, :4] = np.nan, np.inf, 80, 200
    np.save(tmp_path / 'depth/a.npy', depth_m)
    (tmp_path / 'intrinsics.yaml').write_text('{fx: 50, fy: 50, cx: 15.5, cy: 7.5}')
    loader = training_loader(Folder(tmp_path), size_px=SIZE_PX, max_depth_m=80.0, batch_size=1)
    batch = next(loader.epoch(0))
    assert batch.valid_mask[0, 0, 0, :5].tolist() == [False, True, True, True, True]
    assert batch.depth[0, 0, 0, :5].tolist() == [0, 1, 1, 1, -0.5]

    # Twice the training focal length halves what the network is to say: 10 m, and 80 becomes 40.
    loader = training_loader(
        Folder(tmp_path), size_px=SIZE_PX, max_depth_m=80.0, batch_size=1, training_focal_px=25.0
    )
    assert next(loader.epoch(0)).depth[0, 0, 0, :5].tolist() == [0, 1, 0, 1, -0.75]


# ---- Each image once, the same for any number of workers


@pytest.mark.parametrize('workers', [0, 1, 2])
def test_each_image_comes_once_per_epoch(tmp_path, workers):
    loader = make_loader(write_scenes(tmp_path, 10), workers=workers)
    assert len(loader) == 3
    orders = [numbers(loader.epoch(epoch)) for epoch in range(2)]
    for order in orders:
        assert [len(batch) for batch in order] == [4, 4, 2]
        assert sorted(sum(order, [])) == list(range(10))
    assert orders[0] != orders[1]


def test_batches_do_not_depend_on_the_number_of_workers(tmp_path):
    write_scenes(tmp_path, 9)
    alone, helped = (
        list(make_loader(tmp_path, workers=workers, augmentation=Augmentation()).epoch(1))
        for workers in (0, 2)
    )
    assert len(alone) == 3
    assert all(equal(a, b) for a, b in zip(alone, helped))


def test_the_seed_changes_order_and_chance(tmp_path):
    write_scenes(tmp_path, 12)
    first, again, other = (
        numbers(make_loader(tmp_path, seed=seed).epoch(0)) for seed in (1, 1, 2)
    )
    assert first == again != other


def test_an_image_looks_different_in_the_next_epoch(tmp_path):
    write_scenes(tmp_path, 1)
    noise = np.random.default_rng(0).integers(0, 256, (24, 48, 3), np.uint8)
    cv2.imwrite(str(tmp_path / 'vkitti_1.3.1_rgb/0001/clone/00000.png'), noise)
    loader = make_loader(tmp_path, batch_size=1, augmentation=Augmentation(color_probability=1))
    images = [next(loader.epoch(epoch)).image for epoch in range(2)]
    assert not torch.equal(*images)


# ---- Resuming


@pytest.mark.parametrize('workers', [0, 2])
def test_a_resumed_epoch_goes_on_exactly(tmp_path, workers):
    write_scenes(tmp_path, 11)
    whole = list(make_loader(tmp_path, augmentation=Augmentation()).epoch(3))
    rest = list(make_loader(tmp_path, augmentation=Augmentation(), workers=workers).epoch(3, 1))
    assert len(whole) == 3
    assert len(rest) == 2
    assert all(equal(a, b) for a, b in zip(whole[1:], rest))


def test_skipped_batches_are_not_read(tmp_path):
    write_scenes(tmp_path, 8)
    loader = make_loader(tmp_path)
    skipped = numbers(loader.epoch(0))[0]
    for number in skipped:
        (tmp_path / f'vkitti_1.3.1_rgb/0001/clone/{number:05d}.png').write_bytes(b'')
    batches = list(make_loader(tmp_path).epoch(0, 1))
    assert len(batches) == 1
    assert batches[0].corrupt == []


def test_an_epoch_that_was_left_early_can_be_followed_by_another(tmp_path):
    write_scenes(tmp_path, 12)
    loader = make_loader(tmp_path, workers=1)
    next(loader.epoch(0))
    assert sorted(sum(numbers(loader.epoch(1)), [])) == list(range(12))


def test_reading_leaves_the_global_random_states_alone(tmp_path):
    loader = make_loader(write_scenes(tmp_path, 4), workers=1, augmentation=Augmentation())
    torch.manual_seed(5)
    np.random.seed(5)
    list(loader.epoch(0))
    drawn = torch.rand(3), np.random.rand(3)
    torch.manual_seed(5)
    np.random.seed(5)
    assert torch.equal(drawn[0], torch.rand(3))
    assert (drawn[1] == np.random.rand(3)).all()


# ---- Ranks


def test_ranks_share_out_the_batches_of_one_process():
    whole = list(ResumableBatchSampler(24, 6, seed=7))
    shares = [
        list(ResumableBatchSampler(24, 2, seed=7, rank=rank, world_size=3)) for rank in range(3)
    ]
    for number, batch in enumerate(whole):
        assert sorted(batch) == sorted(sum((share[number] for share in shares), []))


def test_ranks_have_equal_numbers_even_where_images_do_not_divide():
    shares = [list(ResumableBatchSampler(10, 2, rank=rank, world_size=3)) for rank in range(3)]
    assert [[len(batch) for batch in share] for share in shares] == [[2, 2]] * 3
    indices = [index for share in shares for batch in share for _, index in batch]
    assert set(indices) == set(range(10))
    assert len(indices) == 12  # two are repeated


def test_the_last_batch_may_be_smaller():
    assert [len(batch) for batch in ResumableBatchSampler(10, 4)] == [4, 4, 2]
    assert len(ResumableBatchSampler(10, 4)) == 3


def test_a_rank_that_can_not_be_is_refused():
    with pytest.raises(ValueError, match='rank must be 0 to 1, got 2'):
        ResumableBatchSampler(10, 2, rank=2, world_size=2)


def test_a_data_set_without_images_is_refused():
    with pytest.raises(DataError, match='no images'):
        training_loader([], size_px=SIZE_PX, max_depth_m=80.0, batch_size=4)


# ---- Corrupt files


def spoil(root, *spoilt):
    for number in spoilt:
        (root / f'vkitti_1.3.1_rgb/0001/clone/{number:05d}.png').write_bytes(b'spoilt')


@pytest.mark.parametrize('workers', [0, 2])
def test_a_corrupt_image_is_named_once_and_left_out(tmp_path, caplog, workers):
    spoil(write_scenes(tmp_path, 8), 5)
    loader = make_loader(tmp_path, workers=workers)
    with caplog.at_level(logging.WARNING):
        epochs = [list(loader.epoch(epoch)) for epoch in range(2)]
    for batches in epochs:
        assert sorted(sum(numbers(batches), [])) == [0, 1, 2, 3, 4, 6, 7]
        assert sorted(len(batch.corrupt) for batch in batches) == [0, 1]
    assert [record.message for record in caplog.records] == [
        f'skipped a corrupt image: {tmp_path}/vkitti_1.3.1_rgb/0001/clone/00005.png is not a '
        'readable image: truncated or corrupt'
    ]
    assert len(loader.corrupt_files) == 1


def test_too_many_corrupt_images_fail_the_run(tmp_path):
    spoil(write_scenes(tmp_path, 40), 5, 15, 25)
    with pytest.raises(DataError, match='2 of 40 images are corrupt, more than the 1 that'):
        list(make_loader(tmp_path).epoch(0))
    assert len(list(make_loader(tmp_path, max_corrupt_fraction=0.1).epoch(0))) == 10


def test_a_neighbour_stands_in_where_a_whole_batch_is_corrupt(tmp_path):
    spoil(write_scenes(tmp_path, 5), 2)
    batches = list(make_loader(tmp_path, batch_size=1).epoch(0))
    assert sorted(sum(numbers(batches), [])) == [0, 1, 3, 3, 4]


def test_data_that_is_all_corrupt_fails(tmp_path):
    spoil(write_scenes(tmp_path, 4), 0, 1, 2, 3)
    with pytest.raises(DataError, match='4 of 4 images are corrupt'):
        list(make_loader(tmp_path).epoch(0))


def test_a_whole_batch_without_a_stand_in_fails_even_where_many_may_be_corrupt(tmp_path):
    spoil(write_scenes(tmp_path, 4), 0, 1, 2, 3)
    with pytest.raises(DataError, match='all images of a batch'):
        list(make_loader(tmp_path, max_corrupt_fraction=1).epoch(0))


@pytest.mark.parametrize('workers', [0, 1])
def test_a_camera_that_is_not_known_is_refused_where_its_focal_length_counts(tmp_path, workers):
    frame = Sample(
        np.zeros((24, 48, 3), np.uint8),
        np.ones((24, 48), np.float32),
        np.full((3, 3), np.nan, np.float32),
        'street.png',
    )
    options = {'size_px': SIZE_PX, 'max_depth_m': 80.0, 'batch_size': 1, 'workers': workers}
    assert next(training_loader([frame], **options).epoch(0)).valid_mask.all()
    with pytest.raises(DataError, match='^street.png has no camera matrix'):
        next(training_loader([frame], training_focal_px=50.0, **options).epoch(0))


# ---- Styles and pairs


def test_style_batches_are_random_parts_in_the_network_s_range(tmp_path):
    loader = style_loader(Styles(write_styles(tmp_path, 6)), size_px=(16, 16), batch_size=4)
    batches = list(loader.epoch(0))
    assert [batch.image.shape for batch in batches] == [(4, 3, 16, 16), (2, 3, 16, 16)]
    values = {round(float(v) * 127.5 + 127.5) for b in batches for v in b.image[:, 0, 0, 0]}
    assert values == set(range(6))


def make_pairs(root, scenes=6, styles=14, **options):
    if not (root / 'styles').exists():
        write_scenes(root, scenes)
        write_styles(root / 'styles', styles)
    return PairedLoader(
        make_loader(root, batch_size=4, **options),
        style_loader(Styles(root / 'styles'), size_px=SIZE_PX, batch_size=4, **options),
    )


def test_the_shorter_of_a_pair_cycles_through_its_own_epochs(tmp_path):
    pairs = make_pairs(tmp_path)  # 2 and 4 batches
    assert len(pairs) == 4
    batches = list(pairs.epoch(0))
    # Four steps see every scene in two epochs; batches of 4 and 2 cut both to the same size.
    assert [len(batch.names) for batch, _ in batches] == [4, 2, 4, 2]
    for batch, styles in batches:
        assert batch.image.shape == styles.image.shape
        assert len(batch.depth) == len(batch.valid_mask) == len(batch.names) == len(styles.names)
    first, second = (
        numbers(batch for batch, _ in batches[:2]),
        numbers(batch for batch, _ in batches[2:]),
    )
    assert sorted(sum(first, [])) == sorted(sum(second, [])) == list(range(6))
    assert first != second


def test_resumed_pairs_go_on_exactly(tmp_path):
    whole = list(make_pairs(tmp_path).epoch(1))
    rest = list(make_pairs(tmp_path).epoch(1, 3))
    assert len(rest) == 1
    assert equal(whole[3][0], rest[0][0])
    assert torch.equal(whole[3][1].image, rest[0][1].image)


# ---- The measuring function


def test_a_rate_is_measured_over_as_many_epochs_as_it_takes(tmp_path):
    loader = make_loader(write_scenes(tmp_path, 8))
    assert measure_images_per_s(loader, duration_s=0.2) > 0
