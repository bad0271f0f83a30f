"""Images that stay on the device that trains: the same batches, read once, changed there."""

import logging

import cv2
import numpy as np
import pytest
import torch

from s2r_depth_training.data import (
    Augmentation,
    DataError,
    gpu_cache_loader,
    training_loader,
    VKitti,
)
from s2r_depth_training.data.augment import SampleBatch
from s2r_depth_training.data.gpu_cache import CachedImages

SIZE_PX = (32, 48)
FOCAL_PX = 50.0
PLAIN = Augmentation(flip_probability=0, rotation_probability=0, color_probability=0)
STRONG = Augmentation(crop_scale=(0.5, 1.0), max_noise=5, filter_probability=0.5)
CPU = torch.device('cpu')


def write_scenes(root, count, height=64, width=96):
    """Write images in the layout of Virtual KITTI whose red and depth tell their number."""
    rgb = root / 'vkitti_1.3.1_rgb/0001/clone'
    depth = root / 'vkitti_1.3.1_depthgt/0001/clone'
    rgb.mkdir(parents=True)
    depth.mkdir(parents=True)
    for number in range(count):
        image = np.zeros((height, width, 3), np.uint8)
        image[..., 2] = 50 + 10 * number
        centimetres = np.full((height, width), (number + 1) * 100, np.uint16)
        centimetres[: height // 4] = 65535  # sky
        cv2.imwrite(str(rgb / f'{number:05d}.png'), image)
        cv2.imwrite(str(depth / f'{number:05d}.png'), centimetres)
    return root


def make(reader, augmentation=PLAIN, **options):
    return gpu_cache_loader(
        reader,
        **{
            'size_px': SIZE_PX,
            'max_depth_m': 80.0,
            'training_focal_px': FOCAL_PX,
            'augmentation': augmentation,
            'device': CPU,
            'batch_size': 4,
            **options,
        },
    )


def numbers(batches):
    return [[int(name[-9:-4]) for name in batch.names] for batch in batches]


def equal(a, b):
    return a.names == b.names and all(torch.equal(x, y) for x, y in zip(a[:3], b[:3]))


@pytest.mark.parametrize('contrast_limit', [0.0, 4.0])
def test_without_changes_the_batches_are_those_that_are_read_each_time(tmp_path, contrast_limit):
    reader = VKitti(write_scenes(tmp_path, 8))
    (cached,) = make(reader, batch_size=8, contrast_limit=contrast_limit).epoch(3)
    (read,) = training_loader(
        reader,
        size_px=SIZE_PX,
        max_depth_m=80.0,
        training_focal_px=FOCAL_PX,
        contrast_limit=contrast_limit,
        augmentation=PLAIN,
        batch_size=8,
    ).epoch(3)
    place_of = {name: place for place, name in enumerate(read.names)}
    order = [place_of[name] for name in cached.names]
    assert torch.allclose(cached.image, read.image[order], atol=1e-3)
    assert torch.allclose(cached.depth, read.depth[order], atol=1e-3)
    assert torch.equal(cached.valid_mask, read.valid_mask[order])


def test_augmented_batches_are_those_that_are_read_each_time(tmp_path):
    # Both draw the same changes for the same image, whatever else is in its batch.
    reader = VKitti(write_scenes(tmp_path, 6, *SIZE_PX))
    augmentation = Augmentation(
        crop_scale=(0.5, 1.0), max_noise=5, max_blur_px=1, filter_probability=0.5, gamma=(0.5, 2)
    )
    cached = list(make(reader, augmentation, batch_size=3).epoch(2))
    read = list(
        training_loader(
            reader,
            size_px=SIZE_PX,
            max_depth_m=80.0,
            training_focal_px=FOCAL_PX,
            augmentation=augmentation,
            batch_size=2,
        ).epoch(2)
    )
    images, depths = (
        {
            name: part[index]
            for batch in batches
            for index, (name, part) in enumerate(zip(batch.names, [batch[field]] * 6))
        }
        for batches, field in ((cached, 0), (cached, 1))
    )
    for batch in read:
        for name, image, depth in zip(batch.names, batch.image, batch.depth):
            torch.testing.assert_close(images[name], image, atol=0.02, rtol=0)
            torch.testing.assert_close(depths[name], depth, atol=1e-3, rtol=1e-3)


def test_sparse_depth_survives_the_smaller_crops(tmp_path):
    class Sparse(VKitti):
        def __getitem__(self, index):
            sample = super().__getitem__(index)
            sparse_m = np.full_like(sample.depth_m, np.nan)
            sparse_m[::2, ::2] = 5
            return sample._replace(depth_m=sparse_m)

    halved = Augmentation(
        flip_probability=0, rotation_probability=0, color_probability=0, crop_scale=(0.5, 1.0)
    )
    (batch,) = make(Sparse(write_scenes(tmp_path, 4)), halved).epoch(0)
    assert batch.valid_mask.float().mean() > 0.2  # a quarter of the points, or nearly all


def test_where_depth_is_missing_it_is_not_valid(tmp_path):
    class Holed(VKitti):
        def __getitem__(self, index):
            sample = super().__getitem__(index)
            sample.depth_m[:, :48] = np.nan
            return sample

    (batch,) = make(Holed(write_scenes(tmp_path, 4))).epoch(0)
    assert not batch.valid_mask[..., :24].any()
    assert batch.valid_mask[..., 24:].all()
    assert (batch.depth[~batch.valid_mask] == 0).all()


def test_a_smaller_part_is_a_longer_lens(tmp_path):
    reader = VKitti(write_scenes(tmp_path, 4))
    half = Augmentation(
        flip_probability=0, rotation_probability=0, color_probability=0, crop_scale=(0.5, 0.5)
    )
    whole_m, half_m = (
        (next(make(reader, changes).epoch(0)).depth[:, :, -1, -1] + 1) * 40
        for changes in (PLAIN, half)
    )
    assert torch.allclose(half_m.sort(0).values, whole_m.sort(0).values / 2, rtol=1e-2)


def test_each_image_comes_once_per_epoch_and_the_last_batch_is_filled_up(tmp_path):
    loader = make(VKitti(write_scenes(tmp_path, 10)))
    for epoch in range(2):
        batches = numbers(loader.epoch(epoch))
        assert [len(batch) for batch in batches] == [4, 4, 4]
        assert len(loader) == 3
        assert sorted(sum(batches, [])[:10]) == list(range(10))
        assert batches[2][2:] == batches[0][:2]
    assert numbers(loader.epoch(0)) != numbers(loader.epoch(1))


def test_fewer_images_than_a_batch_are_repeated(tmp_path):
    loader = make(VKitti(write_scenes(tmp_path, 3)), batch_size=8)
    (batch,) = numbers(loader.epoch(0))
    assert [batch.count(number) for number in range(3)] in ([3, 3, 2], [3, 2, 3], [2, 3, 3])


def test_an_epoch_that_is_gone_on_with_is_the_same(tmp_path):
    loader = make(VKitti(write_scenes(tmp_path, 10)), STRONG)
    whole = list(loader.epoch(5))
    for start in range(3):
        rest = list(loader.epoch(5, start))
        assert len(rest) == 3 - start
        assert all(equal(a, b) for a, b in zip(whole[start:], rest))


def test_an_image_looks_different_in_the_next_epoch_and_with_another_seed(tmp_path):
    reader = VKitti(write_scenes(tmp_path, 1))
    (one,) = make(reader, STRONG, batch_size=1).epoch(0)
    (other,) = make(reader, STRONG, batch_size=1).epoch(1)
    (seed,) = make(reader, STRONG, batch_size=1, seed=1).epoch(0)
    assert not torch.equal(one.image, other.image)
    assert not torch.equal(one.image, seed.image)


def test_corrupt_images_are_named_and_left_out(tmp_path, caplog):
    write_scenes(tmp_path, 6)
    (tmp_path / 'vkitti_1.3.1_rgb/0001/clone/00002.png').write_bytes(b'no image')
    with caplog.at_level(logging.WARNING):
        loader = make(VKitti(tmp_path))
    assert '00002.png' in caplog.text
    assert any('00002.png' in message for message in loader.corrupt_files)
    assert set(sum(numbers(loader.epoch(0)), [])) == {0, 1, 3, 4, 5}
    (tmp_path / 'vkitti_1.3.1_rgb/0001/clone/00003.png').write_bytes(b'no image')
    with pytest.raises(DataError, match='more than the 1 that'):
        make(VKitti(tmp_path))


def test_a_camera_that_is_not_known_is_refused(tmp_path):
    class Unknown(VKitti):
        def __getitem__(self, index):
            sample = super().__getitem__(index)
            return sample._replace(intrinsics=np.full((3, 3), np.nan, np.float32))

    with pytest.raises(DataError, match='has no camera matrix'):
        make(Unknown(write_scenes(tmp_path, 2)))


def test_a_run_cannot_go_on_with_another_number_of_images(tmp_path):
    loader = make(VKitti(write_scenes(tmp_path, 4)))
    loader.load_state_dict(loader.state_dict())
    with pytest.raises(DataError, match='had 5 images .* now has 4'):
        loader.load_state_dict({'images': 5})


def test_small_images_are_not_kept_larger_than_they_are(tmp_path):
    tiny_part = Augmentation(crop_scale=(0.1, 1.0))
    loader = make(VKitti(write_scenes(tmp_path, 2, height=48, width=96)), tiny_part)
    assert loader._images.size_px == (48, 72)


def test_images_keep_depth_to_a_thousandth_and_the_sky():
    images = CachedImages(1, (1, 4), CPU)
    depth_m = np.array([[[0.3, 71.3, np.inf, np.nan]]], np.float32)
    samples = SampleBatch(
        torch.zeros(1, 3, 1, 4, dtype=torch.uint8),
        torch.from_numpy(depth_m)[None],
        torch.diag(torch.tensor([9.0, 9, 1]))[None],
    )
    images.append(samples, ['a'])
    cached = images[torch.tensor([0])]
    kept_m = cached.depth_m
    assert kept_m[0, 0, 0, :2].tolist() == pytest.approx([0.3, 71.3], rel=1e-3)
    assert kept_m[0, 0, 0, 2] == float('inf')
    assert kept_m[0, 0, 0, 3].isnan()
    assert cached.intrinsics[0, 0, 0] == 9
