"""
The options of all verbs of `s2r`.

A verb's dataclass is its command line. Its docstring is the page of help, and each field is an
option. A base class holds options that several verbs share. This module imports no library that
only the work of a verb needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from .parsing import node_parameters, option, port_number, positive_float, positive_int, size_px

NETWORK_PARAMETERS = (
    'weights',
    'published_max_depth',
    'engine',
    'device',
    'precision',
    'threads',
    'network_height',
    'network_width',
    'focal_correction',
)
DEPTH_PARAMETERS = (
    'min_depth',
    'max_depth',
    'depth_scale',
    'scale_source',
    'camera_height',
    'camera_pitch',
    'scale_smoothing',
    'ground_contact',
    'temporal_smoothing',
    'edge_filter',
    'min_confidence',
    'point_stride',
)
GROUND_PARAMETERS = ('min_height', 'max_height', 'ground_probability', 'voxel_size')
"""Those of obstacles and scan."""
DEPTH_FILES = {
    'png': 'depth_mm',
    'npy': 'depth_m',
    'color': 'color',
    'mp4': 'color.mp4',
    'ply': 'cloud',
    'sheet': 'contact_sheet.png',
}
"""The kinds of output of `s2r depth`, and the folder or file of each."""
SHELLS = ('bash', 'zsh', 'tcsh')


@dataclass(frozen=True, kw_only=True)
class LensOptions:
    """
    Of all cameras; the first that is given counts.

    Intrinsics that come with the images (camera_info, manifest.json) count before --hfov-deg.

    :param calibration: in the form of camera_info_manager; images are undistorted with it.
    :param focal_px: focal length in pixels of the image.
    :param hfov_deg: horizontal field of view.
    :param rectified: the images are already undistorted, with any name of their topic.
    """

    GROUP: ClassVar[str] = 'lens'

    calibration: Path | None = option(None, metavar='YAML')
    focal_px: float = option(0.0, metavar='F', limits=(0, 1e6), shown='')
    hfov_deg: float = option(0.0, metavar='DEGREES', limits=(0, 179), shown='')
    rectified: bool = option(False)


@dataclass(frozen=True, kw_only=True)
class TopicOptions:
    """
    The topics of a bag to use.

    :param image: topics of the images.
    """

    GROUP: ClassVar[str] = 'bags'

    image: list[str] = option([], metavar='TOPIC', shown='all cameras')


@dataclass(frozen=True, kw_only=True)
class FleetOptions:
    """
    Each input is a task of its own; docs/how-to/cluster.md tells more.

    Besides paths, an input is a URL, a quoted pattern such as 'runs/**/*.mcap', a folder that is
    searched, or - for a list on the standard input. What is done is not done again. A worker
    computes with one thread unless --threads says more, and on the CPU unless it gets a GPU.

    :param workers: at a time.
    :param gpus_per_worker: GPUs of each worker, or a share of one such as 0.25.
    :param cluster: HOST:PORT of a Ray cluster to work on, or auto for the one of this machine.
    """

    GROUP: ClassVar[str] = 'many inputs'

    workers: int | None = option(
        None, metavar='N', limits=(1, 100_000), shown='as many as there are cores or GPUs for'
    )
    gpus_per_worker: float = option(0.0, metavar='N', limits=(0, 64), shown='')
    cluster: str | None = option(None, metavar='ADDRESS', shown='this machine')


@dataclass(frozen=True, kw_only=True)
class DepthOptions(LensOptions, TopicOptions, FleetOptions):
    """
    Write the depth of images, videos, a webcam or a bag to files; needs no ROS.

    What --save can name, and where it lies in the folder --out (NAME is that of the image):

      png    depth_mm/NAME.png  16 bits, millimetres; 0 where there is no depth
      npy    depth_m/NAME.npy   float32, metres; -inf is too near, inf too far, nan not seen
      color  color/NAME.png     red is near, blue far, on a logarithmic scale, the same for all
                                images (--color-range, 1 to 80 m); grey is too far
      mp4    color.mp4          the same as a video
      ply    cloud/NAME.ply     points in metres; x right, y down, z forward
      sheet  contact_sheet.png  image, structure map, attention map and depth of a few images, in
                                the same colours, with their scale

    With a pattern, a URL, -, --workers or --cluster, each input gets a folder of its own in --out.
    There report.json says how each of them went.

    Metres need the focal length: --calibration, --focal-px or --hfov-deg, a manifest.json beside
    the images, or the camera_info of a bag. Without it the depth is right up to a factor.

    Examples:
      s2r depth street.jpg --focal-px 720
      s2r depth ~/pictures --calibration camera.yaml --save png ply sheet --out my-depth
      s2r depth drive.mp4 --hfov-deg 80
      s2r depth webcam --frames 100
      s2r depth my_bag --save npy
      s2r depth films bags --workers 8 --save npy --out depths

    :param inputs: images, folders of images, videos, ROS 2 bags, or webcam (webcam:1 for the
        second).
    :param out: where the files go.
    :param save: kinds of files to write, from the list above.
    :param force: write over files that are there already.
    :param frames: stop after so many images.
    :param color_range: metres of the reddest and of the bluest colour, of color, mp4 and sheet
        alike; 0.5 10 suits a room.
    """

    inputs: list[str] = option(metavar='INPUT', is_positional=True)
    out: str = option('depth', metavar='FOLDER')
    save: list[str] = option(
        [],
        metavar='KIND',
        choices=tuple(DEPTH_FILES),
        shown='png color sheet; of a video or webcam png mp4 sheet',
    )
    force: bool = option(False)
    frames: int | None = option(None, metavar='N', limits=(1, 10**9))
    color_range: tuple[float, float] = option(
        (1.0, 80.0), metavar=('NEAR', 'FAR'), limits=(0.001, 10_000), shown='1 80'
    )
    parameters: dict[str, Any] = node_parameters(*NETWORK_PARAMETERS, *DEPTH_PARAMETERS)


@dataclass(frozen=True, kw_only=True)
class BagOptions(LensOptions, TopicOptions, FleetOptions):
    """
    Copy a ROS 2 bag and add the depth of its cameras, as if the node had run; needs no ROS.

    All topics of IN are copied unchanged. Each camera <namespace>/image_... also gets the topics
    <namespace>/depth/..., with the stamps and recording times of its images. Every image gets a
    depth; none is dropped. IN is sqlite3 or MCAP, compressed or not, with raw or compressed
    images, whole or as a killed recorder left it. OUT must not exist. Messages that IN promises
    and does not hold are counted, and the exit code then is 1.

    Of several INs, a folder of bags, a pattern, a URL or -, or with --workers or --cluster, OUT is
    a folder. Each bag gets one in it, and report.json says how each of them went.

    Images are undistorted with <namespace>/camera_info, unless their topic is called rect.
    Without camera_info, --calibration, --focal-px and --hfov-deg, the depth is right up to a
    factor. Then there is no depth/camera_info and no depth/points.

    Unfinished work lies in OUT.partial, image by image. After an interruption or a power cut, the
    same command continues it.

    Examples:
      s2r bag my_bag my_bag_depth
      s2r bag my_bag my_bag_depth --storage mcap --compress --point-stride 4
      s2r bag my_bag my_bag_depth --image /front/image_raw --outputs image camera_info image_color
      s2r bag my_bag my_bag_depth --hfov-deg 80
      s2r bag my_bag my_bag_depth --outputs scan obstacles --camera-height 0.5 --camera-pitch 10
      s2r bag monday tuesday with_depth --workers 8

    :param inputs: folder of a bag, or a file of it.
    :param out: folder of the new bag, or of the new bags.
    :param outputs: which of the depth topics: image, camera_info, points, image_color, structure,
        attention, confidence, scale, ground, which needs weights with a judge, or obstacles and
        scan, which need --camera-height. The scan is in the frame of the images with _level added.
    :param storage: of the new bag.
    :param compress: compress the new bag with zstd: the chunks of MCAP, the file of sqlite3.
    :param force: write a new bag again that is there already.
    """

    inputs: list[str] = option(metavar='IN', is_positional=True)
    out: str = option(metavar='OUT', is_positional=True)
    outputs: list[str] = option(
        ['image', 'camera_info', 'points'],
        metavar='OUTPUT',
        choices=(
            'image',
            'camera_info',
            'points',
            'image_color',
            'structure',
            'attention',
            'confidence',
            'ground',
            'obstacles',
            'scan',
            'scale',
        ),
    )
    storage: str | None = option(None, choices=('sqlite3', 'mcap'), shown='as in the old one')
    compress: bool = option(False)
    force: bool = option(False)
    parameters: dict[str, Any] = node_parameters(
        *NETWORK_PARAMETERS, *DEPTH_PARAMETERS, *GROUND_PARAMETERS, 'depth_encoding'
    )


@dataclass(frozen=True, kw_only=True)
class DemoOptions:
    """
    Play images to the depth node as a camera does, and save its outputs.

    camera_player and depth_node run as two processes that talk over DDS, in a ROS domain of their
    own. This tool subscribes to all that they publish, stops them again, and leaves in a folder:

      contact_sheet.png  image, structure map, attention map and depth of a few frames
      cloud.png          the point cloud of one frame from two sides
      cloud.ply          the same cloud for MeshLab, CloudCompare or Open3D
      table.txt          frames in and out, drops by cause, latency and rate

    Examples:
      s2r demo                                 frames that come with the package
      s2r demo ~/pictures --out my-demo        a folder of images, or one with a manifest.json
      s2r demo drive.mp4 --weights run/weights.safetensors --frames 60

    :param input: folder of images, an image or a video.
    :param out: folder of the results; those of an earlier demo are replaced.
    :param weights: 'outdoor' or 'indoor' (bundled), a .safetensors file, a folder with published
        .pth files, or 'random' for an untrained network.
    :param rate: images a second; faster than the network, frames are dropped.
    :param frames: stop after so many depth images; short inputs are repeated.
    :param calibration: intrinsics and distortion in the form of camera_info_manager; the node
        undistorts the images with them.
    """

    input: Path | None = option(
        None, metavar='INPUT', is_positional=True, shown='frames of the package'
    )
    out: Path = option(Path('demo'), metavar='FOLDER')
    weights: str | None = option(None, metavar='WEIGHTS', shown='outdoor')
    rate: float = option(5.0, metavar='HZ', kind=positive_float)
    frames: int = option(30, metavar='N', kind=positive_int)
    calibration: Path | None = option(None, metavar='YAML')
    parameters: dict[str, Any] = node_parameters('engine', 'device')


@dataclass(frozen=True, kw_only=True)
class ViewOptions:
    r"""
    Show a camera's image, depth, structure and attention live in a browser, and in Foxglove.

    It subscribes to the outputs of depth_node, and serves only this machine:

      a page        http://127.0.0.1:8080: the four pictures of one moment, rate and latency
      a web socket  ws://127.0.0.1:8765: the pictures and the cloud for Foxglove or Lichtblick
                    (open connection, Foxglove WebSocket), with the layout file that it names

    With INPUT it starts a camera that plays images and a depth_node, in a ROS domain of their
    own, and ends them with itself. Ctrl-C ends it.

    Examples:
      s2r view                                           a depth_node that runs, camera "camera"
      s2r view --camera front --image /front/image_raw   another camera
      s2r view ~/pictures                                no robot: a folder of images or a video
      ssh -t -L 8080:localhost:8080 -L 8765:localhost:8765 robot \
          'source ~/ws/install/setup.bash && ros2 run s2r_depth_ros s2r view'   another machine

    :param input: folder of images, an image or a video to play; without it a running node is
        shown.
    :param camera: namespace of the depth topics.
    :param image: topic of the camera's images; .../compressed for compressed images.
    :param port: of the page; 0 for any that is free.
    :param foxglove_port: of the web socket.
    :param no_foxglove: serve the page only.
    :param host: address to listen on; 0.0.0.0 serves everyone who can reach this machine.
    :param rate: with INPUT: images a second.
    :param hfov_deg: with INPUT: horizontal field of view, where no manifest.json beside the
        images says more.
    :param parameters: with INPUT.
    """

    input: Path | None = option(None, metavar='INPUT', is_positional=True, shown='')
    camera: str = option('camera', metavar='NAME')
    image: str | None = option(None, metavar='TOPIC', shown='CAMERA/image_raw')
    port: int = option(8080, metavar='PORT', kind=port_number)
    foxglove_port: int = option(8765, metavar='PORT', kind=port_number)
    no_foxglove: bool = option(False)
    host: str = option('127.0.0.1', metavar='HOST')
    rate: float = option(5.0, metavar='HZ', limits=(0.01, 1000))
    hfov_deg: float = option(60.0, metavar='DEGREES', limits=(1, 179))
    parameters: dict[str, Any] = node_parameters('weights', 'engine')


@dataclass(frozen=True, kw_only=True)
class BenchOptions:
    """
    Measure the cost of the network on this machine: medians and 95th percentiles.

    It runs the network that the node would run here, from images to metres, for one, two and
    four cameras. In a checkout of this package, `python -m benchmarks` measures more: the node
    over DDS, the parts of the network, the steps around it, the training and other builds.

    Examples:
      s2r bench
      s2r bench --weights indoor --engine torch --threads 1
      s2r bench --image-size 1920x1080 --network-size 400x304

    :param image_size: of the camera.
    :param network_size: of the network's input.
    :param seconds: length of each measurement, at least five runs.
    """

    image_size: tuple[int, int] = option(
        (480, 640), metavar='WIDTHxHEIGHT', kind=size_px, shown='640x480'
    )
    network_size: tuple[int, int] | None = option(
        None, metavar='WIDTHxHEIGHT', kind=size_px, shown='the size of the training'
    )
    seconds: float = option(5.0, metavar='S', limits=(0, 3600))
    parameters: dict[str, Any] = node_parameters(
        'weights', 'engine', 'device', 'precision', 'threads'
    )


@dataclass(frozen=True, kw_only=True)
class WeightsOptions:
    """
    Print a hash of the content of weights, which does not depend on the order in the file.

    The hash is a SHA-256 over tensors and metadata, sorted by name. Two files with the same
    weights may differ in bytes, since safetensors writes metadata in any order.

    Examples:
      s2r weights                                   the bundled ones
      s2r weights runs/street/weights.safetensors   a file

    :param files: safetensors files, or outdoor or indoor.
    """

    files: list[str] = option([], metavar='FILE', is_positional=True, shown='both of these')


@dataclass(frozen=True, kw_only=True)
class DoctorOptions:
    """
    Show the versions on this machine, the transports of ROS, and how many images arrive.

    It prints versions, the variables that decide the transport, variables without effect, and the
    transports in force. Then a second process publishes best-effort VGA and Full HD images, as a
    camera driver does. This process counts them. Both use a separate ROS domain and the variables
    as set. Without ROS it prints only the versions.

    Examples:
      s2r doctor
      FASTRTPS_DEFAULT_PROFILES_FILE=profile.xml s2r doctor

    :param images: images of each size, 30 a second; 0 measures nothing.
    """

    images: int = option(50, metavar='N', limits=(0, 10000))


@dataclass(frozen=True, kw_only=True)
class CompletionOptions:
    """
    Print a script that lets a shell complete the arguments of `s2r`.

    Examples:
      s2r completion bash > ~/.local/share/bash-completion/completions/s2r
      s2r completion zsh > ~/.zfunc/_s2r                  (with ~/.zfunc in fpath)

    :param shell: that is to complete.
    """

    shell: str = option(choices=SHELLS, is_positional=True)


OPTIONS: dict[str, type] = {
    'depth': DepthOptions,
    'bag': BagOptions,
    'demo': DemoOptions,
    'view': ViewOptions,
    'bench': BenchOptions,
    'weights': WeightsOptions,
    'doctor': DoctorOptions,
    'completion': CompletionOptions,
}
"""The options of each verb."""
