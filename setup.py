"""Installs the node, the tools, and the training package (colcon and pip)."""

from glob import glob
from pathlib import Path
import re

from setuptools import find_packages, setup

NAME = 's2r_depth_ros'
SOURCE = Path(__file__).resolve().parent  # colcon --symlink-install runs this elsewhere
MANIFEST = (SOURCE / 'package.xml').read_text(encoding='utf-8')

setup(
    name=NAME,
    version=re.search(r'<version>(.+?)</version>', MANIFEST).group(1),
    packages=(
        find_packages(include=[NAME, f'{NAME}.*'])
        + find_packages('training', include=['s2r_depth_training*', 's2r_scenes*'])
    ),
    package_dir={
        's2r_depth_training': 'training/s2r_depth_training',
        's2r_scenes': 'training/s2r_scenes',
    },
    package_data={
        NAME: [
            '*.xml',
            'cli/view/*.html',
            'cli/view/*.json',
            'demo_frames/*',
            'weights/models/*.onnx',
            'weights/models/*.safetensors',
            'weights/models/*.md',
        ]
    },
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{NAME}']),
        (f'share/{NAME}', ['package.xml']),
        (f'share/{NAME}/launch', glob('launch/*.launch.*')),
        (f'share/{NAME}/config', glob('config/*.*')),
        (f'share/{NAME}/config/training', glob('config/training/*.yaml')),
        (f'share/{NAME}/config/security', glob('config/security/*.xml')),
        (f'share/{NAME}/rviz', glob('rviz/*.rviz')),
    ],
    python_requires='>=3.10',
    install_requires=[
        'numpy>=1.26',
        'onnxruntime',
        'opencv-python-headless>=4.6',
        'pillow',
        'pyyaml',
        'safetensors',
        'setuptools',
    ],
    extras_require={
        'torch': ['onnx', 'torch>=2.4'],  # the other engine, and weights of others
        'train': [
            'embreex; platform_machine == "x86_64"',
            'fast-simplification',
            'h5py',
            'jinja2',
            'jsonargparse[signatures]>=4.53',
            'lightning-fabric',
            'lxml',
            'matplotlib',
            'moderngl',
            'onnx',
            'pycollada',
            'scipy',
            'shtab',
            'tensorboard',
            'torch>=2.4',
            'tqdm',
            'trimesh',
        ],
        'tools': [
            'foxglove-sdk',
            'jsonargparse>=4.53',
            'matplotlib',
            'mcap',
            'plyfile',
            'rosbags',
            'rosbags-image',
            'shtab',
            'tqdm',
        ],
        'cluster': ['fsspec', 'ray>=2.40'],
        'test': ['hypothesis', 'pytest'],
        'docs': ['furo', 'myst-parser', 'sphinx'],
    },
    zip_safe=False,
    maintainer='s2r_depth_ros maintainers',
    maintainer_email='maintainers@example.com',
    description='Metric depth from any camera with S2R-DepthNet, as a ROS 2 node.',
    long_description=(SOURCE / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    entry_points={
        'console_scripts': [
            'depth_node = s2r_depth_ros.program:depth_node',
            'camera_player = s2r_depth_ros.program:camera_player',
            's2r = s2r_depth_ros.cli:main',
            's2r_train = s2r_depth_training.cli:main',
        ]
    },
)
