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
    'sharp_edges',
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
    These options apply to all cameras. If you give several, the first in this list is used.

    Intrinsics that come with the images (camera_info, manifest.json) override --hfov-deg.

    :param calibration: calibration file, as camera_info_manager writes it; the images are
        undistorted with it.
    :param focal_px: focal length in pixels of the image.
    :param hfov_deg: horizontal field of view in degrees.
    :param rectified: the images are already undistorted, whatever the name of their topic.
    """

    GROUP: ClassVar[str] = 'lens'

    calibration: Path | None = option(None, metavar='YAML')
    focal_px: float = option(0.0, metavar='F', limits=(0, 1e6), shown='')
    hfov_deg: float = option(0.0, metavar='DEGREES', limits=(0, 179), shown='')
    rectified: bool = option(False)


@dataclass(frozen=True, kw_only=True)
class TopicOptions:
    """
    Which topics of a bag to process.

    :param image: topics of the images.
    """

    GROUP: ClassVar[str] = 'bags'

    image: list[str] = option([], metavar='TOPIC', shown='all cameras')


@dataclass(frozen=True, kw_only=True)
class FleetOptions:
    """
    Process many inputs in parallel; docs/how-to/cluster.md explains it.

    An input can also be a URL, a quoted pattern such as 'runs/**/*.mcap', a folder to search, or -
    to read a list from standard input. Inputs with complete outputs are skipped. A worker uses one
    thread unless you set --threads, and the CPU unless you set --gpus-per-worker.

    :param workers: number of worker processes.
    :param gpus_per_worker: number of GPUs for each worker, or a share of one, such as 0.25.
    :param cluster: address (HOST:PORT) of a Ray cluster, or auto for the cluster of this machine.
    """

    GROUP: ClassVar[str] = 'many inputs'

    workers: int | None = option(
        None, metavar='N', limits=(1, 100_000), shown='as many as cores or GPUs allow'
    )
    gpus_per_worker: float = option(0.0, metavar='N', limits=(0, 64), shown='')
    cluster: str | None = option(None, metavar='ADDRESS', shown='this machine')


@dataclass(frozen=True, kw_only=True)
class DepthOptions(LensOptions, TopicOptions, FleetOptions):
    """
    Write the depth of images, videos, a webcam or a bag to files, without ROS.

    Kinds of files for --save, and their places in the folder --out (NAME is that of the image):

      png    depth_mm/NAME.png  16 bits, millimetres; 0 means invalid, or beyond 65.535 m
      npy    depth_m/NAME.npy   float32, metres; -inf is too near, inf too far, nan invalid
      color  color/NAME.png     red is near, blue is far, grey is too far; logarithmic scale with
                                the limits --color-range for all images
      mp4    color.mp4          the same as a video
      ply    cloud/NAME.ply     coloured points in metres; x right, y down, z forward
      sheet  contact_sheet.png  image, structure map, attention map and depth of a few images

    With a pattern, a URL, -, --workers or --cluster, each input has its own folder in --out, and
    report.json lists the result of each input.

    Depth in metres needs the focal length: from --calibration, --focal-px or --hfov-deg, from a
    manifest.json in the folder of the images, or from the camera_info of a bag. Without it, all
    depths are wrong by one unknown factor.

    Examples:
      s2r depth street.jpg --focal-px 720
      s2r depth ~/pictures --calibration camera.yaml --save png ply sheet --out my-depth
      s2r depth drive.mp4 --hfov-deg 80
      s2r depth webcam --frames 100
      s2r depth my_bag --save npy
      s2r depth films bags --workers 8 --save npy --out depths

    :param inputs: images, folders of images, videos, ROS 2 bags, or webcam (webcam:1 for the
        second).
    :param out: folder for the files.
    :param save: kinds of files to write, from the list above.
    :param force: overwrite existing files.
    :param frames: stop after N images.
    :param color_range: depth in metres that is red, and depth that is blue, in color, mp4 and
        sheet; 0.5 10 suits a room.
    """

    inputs: list[str] = option(metavar='INPUT', is_positional=True)
    out: str = option('depth', metavar='FOLDER')
    save: list[str] = option(
        [],
        metavar='KIND',
        choices=tuple(DEPTH_FILES),
        shown='png color sheet; for a video or webcam png mp4 sheet',
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
    Copy a ROS 2 bag and add the depth topics of the node, without ROS.

    All topics of IN are copied unchanged. Each camera with a topic <namespace>/image_... also gets
    topics <namespace>/depth/..., with the stamps and recording times of its images. No image is
    dropped. IN can be sqlite3 or MCAP, compressed or not, with raw or compressed images, and the
    bag of a killed recorder. OUT must not exist. If IN lacks messages that its metadata counts,
    the command reports them and exits with 1.

    With several INs, a folder of bags, a pattern, a URL, -, --workers or --cluster, OUT is a
    folder that contains one bag for each input. Its report.json lists the result of each input.

    Images are undistorted with <namespace>/camera_info, unless their topic is named as rectified,
    such as image_rect. Without camera_info, --calibration, --focal-px and --hfov-deg, all depths
    are wrong by one unknown factor, and the new bag has no depth/camera_info and no depth/points.

    Unfinished work is in OUT.partial. After an interruption or a power cut, run the same command
    again to continue.

    Examples:
      s2r bag my_bag my_bag_depth
      s2r bag my_bag my_bag_depth --storage mcap --compress --point-stride 4
      s2r bag my_bag my_bag_depth --image /front/image_raw --outputs image camera_info image_color
      s2r bag my_bag my_bag_depth --hfov-deg 80
      s2r bag my_bag my_bag_depth --outputs scan obstacles --camera-height 0.5 --camera-pitch 10
      s2r bag monday tuesday with_depth --workers 8

    :param inputs: folder or file of a bag.
    :param out: folder of the new bag, or of all new bags.
    :param outputs: depth topics to add: image, camera_info, points, image_color, structure,
        attention, confidence, scale, ground (needs weights with a judge), obstacles and scan (both
        need --camera-height). The frame of the scan is the frame_id of the images followed by
        _level.
    :param storage: format of the new bag.
    :param compress: compress the new bag with zstd: the chunks of MCAP, the file of sqlite3.
    :param force: overwrite an existing new bag.
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
    storage: str | None = option(None, choices=('sqlite3', 'mcap'), shown='that of IN')
    compress: bool = option(False)
    force: bool = option(False)
    parameters: dict[str, Any] = node_parameters(
        *NETWORK_PARAMETERS, *DEPTH_PARAMETERS, *GROUND_PARAMETERS, 'depth_encoding'
    )


@dataclass(frozen=True, kw_only=True)
class DemoOptions:
    """
    Play images as a camera to the depth node, and save its outputs.

    camera_player and depth_node run as two processes in a separate ROS domain. This tool
    subscribes to all their topics, stops them at the end, and writes these files:

      contact_sheet.png  image, structure map, attention map and depth of a few frames
      cloud.png          the point cloud of one frame, from two sides
      cloud.ply          the same cloud for MeshLab, CloudCompare or Open3D
      table.txt          received and published frames, drops by cause, latency and rate

    Examples:
      s2r demo                                 frames of the package
      s2r demo ~/pictures --out my-demo        a folder of images
      s2r demo drive.mp4 --weights run/weights.safetensors --frames 60

    :param input: folder of images, an image or a video.
    :param out: folder for the results; it replaces those of an earlier demo.
    :param weights: 'outdoor' or 'indoor' (bundled), a .safetensors file, a folder with published
        .pth files, or 'random' for an untrained network.
    :param rate: images per second; if the network is slower, images are dropped.
    :param frames: stop after N depth images; short inputs are repeated.
    :param calibration: calibration file, as camera_info_manager writes it; the node undistorts the
        images with it.
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

    The tool subscribes to the outputs of depth_node. It provides, for this machine only:

      a page        http://127.0.0.1:8080: the four pictures of one moment, rate and latency
      a web socket  ws://127.0.0.1:8765: the pictures and the cloud, for Foxglove or Lichtblick
                    (Open connection, Foxglove WebSocket), with a layout file whose path it prints

    With INPUT, the tool starts depth_node and a camera that plays the images, in a separate ROS
    domain, and stops both at its end. To end it, press Ctrl-C.

    Examples:
      s2r view                                           a running depth_node, camera "camera"
      s2r view --camera front --image /front/image_raw   another camera
      s2r view ~/pictures                                no robot: a folder of images or a video
      ssh -t -L 8080:localhost:8080 -L 8765:localhost:8765 robot \
          'source ~/ws/install/setup.bash && ros2 run s2r_depth_ros s2r view'   another machine

    :param input: folder of images, an image or a video to play; without it, the tool shows a
        running node.
    :param camera: namespace of the depth topics.
    :param image: topic of the camera's images; .../compressed for compressed images.
    :param port: port of the page; 0 selects a free one.
    :param foxglove_port: port of the web socket.
    :param no_foxglove: provide only the page.
    :param host: address to listen on; with 0.0.0.0, everyone who reaches this machine can see the
        pictures.
    :param rate: images per second, only with INPUT.
    :param hfov_deg: horizontal field of view in degrees, only with INPUT; a manifest.json in its
        folder overrides it.
    :param parameters: only with INPUT.
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
    Measure the time of the network on this machine: medians and 95th percentiles.

    The measurement is from images to depth in metres, for one, two and four cameras. In a checkout
    of this package, `python -m benchmarks` measures more: the node over DDS, the parts of the
    network, the steps around it, the training and other builds.

    Examples:
      s2r bench
      s2r bench --weights indoor --engine torch --threads 1
      s2r bench --image-size 1920x1080 --network-size 400x304

    :param image_size: size of the camera's images.
    :param network_size: size of the network's input.
    :param seconds: length of each measurement in seconds; at least five runs are measured.
    """

    image_size: tuple[int, int] = option(
        (480, 640), metavar='WIDTHxHEIGHT', kind=size_px, shown='640x480'
    )
    network_size: tuple[int, int] | None = option(
        None, metavar='WIDTHxHEIGHT', kind=size_px, shown='that of the training'
    )
    seconds: float = option(5.0, metavar='S', limits=(0, 3600))
    parameters: dict[str, Any] = node_parameters(
        'weights', 'engine', 'device', 'precision', 'threads'
    )


@dataclass(frozen=True, kw_only=True)
class WeightsOptions:
    """
    Print a hash of the content of weights files.

    The hash is a SHA-256 of tensors and metadata, sorted by name. It is equal for equal weights.
    The files can still differ, because safetensors writes metadata in any order.

    Examples:
      s2r weights                                   the bundled weights
      s2r weights runs/street/weights.safetensors   a file

    :param files: safetensors files, or outdoor or indoor for the bundled weights.
    """

    files: list[str] = option([], metavar='FILE', is_positional=True, shown='both bundled weights')


@dataclass(frozen=True, kw_only=True)
class DoctorOptions:
    """
    Show the versions on this machine, the transports of ROS, and how many images arrive.

    The tool prints versions, the environment variables that select the transport, variables
    without effect, and the active transports. Then a second process publishes best-effort VGA and
    Full HD images, as a camera driver does, and this process counts them. Both use a separate ROS
    domain. Without ROS, the tool prints only the versions.

    Examples:
      s2r doctor
      FASTRTPS_DEFAULT_PROFILES_FILE=profile.xml s2r doctor

    :param images: number of images of each size, at 30 per second; 0 skips the measurement.
    """

    images: int = option(50, metavar='N', limits=(0, 10000))


@dataclass(frozen=True, kw_only=True)
class CompletionOptions:
    """
    Print a script that lets a shell complete the arguments of `s2r`.

    Examples:
      s2r completion bash > ~/.local/share/bash-completion/completions/s2r
      s2r completion zsh > ~/.zfunc/_s2r                  (with ~/.zfunc in fpath)

    :param shell: the shell for which to print the script.
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
