"""Run by ``colcon test``: the package as colcon installed it, not the checkout."""

from pathlib import Path
import subprocess

from ament_index_python.packages import get_package_prefix, get_package_share_directory
import pytest
import yaml

import s2r_depth_ros
from s2r_depth_ros import weights
import s2r_depth_training

PREFIX = Path(get_package_prefix('s2r_depth_ros'))


def test_the_prefix_is_the_workspace():
    workspace = Path.cwd().parents[1]  # colcon runs tests in the source folder of the package
    assert PREFIX == workspace / 'install' / 's2r_depth_ros'


@pytest.mark.parametrize('package', [s2r_depth_ros, s2r_depth_training])
def test_the_code_comes_from_the_workspace(package):
    workspace = PREFIX.parents[1]
    assert Path(package.__file__).resolve().is_relative_to(workspace.resolve())


def test_the_configuration_is_found_through_the_index():
    share = Path(get_package_share_directory('s2r_depth_ros'))
    assert yaml.safe_load((share / 'config' / 'depth_node.yaml').read_text())


@pytest.mark.parametrize('name', ['depth_node', 'camera_player', 's2r', 's2r_train'])
def test_the_executables_run(name):
    done = subprocess.run(
        [PREFIX / 'lib' / 's2r_depth_ros' / name, '--help'],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_the_models_folder_is_installed():
    folder = Path(s2r_depth_ros.__file__).parent / 'weights' / 'models'
    assert (folder / 'README.md').is_file()
    assert weights.load('random')
