"""From linear light to bytes."""

import numpy as np

from s2r_scenes import light, sensor

PLAIN = light.Sensor(
    brightness=0.25, contrast=1.0, white_balance=np.ones(3), blur_px=0.0, noise=0.0, vignette=0.0
)


def expose(picture, sky=None, response=PLAIN):
    sky = np.zeros(picture.shape[:2], bool) if sky is None else sky
    return sensor.expose(picture, sky, response, np.random.default_rng(0))


def test_the_scene_is_brought_to_the_wanted_brightness():
    picture = np.full((20, 40, 3), 7.0, np.float32)
    assert np.unique(expose(picture)).tolist() == [128]  # sqrt(0.25) of 255, rounded


def test_a_bright_sky_does_not_darken_the_ground():
    picture = np.full((20, 40, 3), 7.0, np.float32)
    sky = np.zeros((20, 40), bool)
    sky[:8] = True
    picture[sky] = 700.0
    exposed = expose(picture, sky)
    assert np.unique(exposed[8:]).tolist() == [128]
    assert np.unique(exposed[:8]).tolist() == [255]


def test_contrast_keeps_the_ends_and_the_middle():
    picture = np.array([0.0, 0.0625, 0.25, 1.0], np.float32).reshape(1, 4, 1).repeat(3, 2)
    picture = picture.repeat(200, 0)
    response = light.Sensor(
        **{**vars(PLAIN), 'contrast': 2.0, 'brightness': float(picture.mean())}
    )
    # gamma 2 gives 0, 1/4, 1/2, 1; squaring about the middle gives 0, 1/8, 1/2, 1
    np.testing.assert_allclose(
        expose(picture, response=response)[0, :, 0], [0, 32, 128, 255], atol=1
    )


def test_vignetting_darkens_the_corners_only():
    picture = np.ones((41, 41, 3), np.float32)
    response = light.Sensor(**{**vars(PLAIN), 'vignette': 0.4})
    exposed = expose(picture, response=response)
    assert exposed[20, 20, 0] == 128
    assert exposed[0, 0, 0] < 110


def test_noise_is_repeatable_and_has_its_strength():
    picture = np.ones((60, 60, 3), np.float32)
    response = light.Sensor(**{**vars(PLAIN), 'noise': 0.02})
    first, second = expose(picture, response=response), expose(picture, response=response)
    np.testing.assert_array_equal(first, second)
    assert 0.018 < first.std() / 255 < 0.022


def test_every_variation_draws_a_light_and_differs_from_the_others():
    lights = {
        name: light.outdoor(name, np.random.default_rng(1), 0)[0] for name in light.VARIATIONS
    }
    assert lights['fog'].fog_per_m >= 0.01 > lights['clone'].fog_per_m
    assert lights['rain'].wetness > 0 == lights['clone'].wetness
    assert lights['sunset'].key[2] < np.sin(np.radians(17))
    assert lights['overcast'].key_colour.max() < 0.2 < lights['clone'].key_colour.max()
