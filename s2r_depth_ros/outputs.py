"""What is published for a camera, by the names of the topics in its namespace."""
from .message_types import CameraInfo, Image, PointCloud2

DEPTH = 'depth/image'
INFO = 'depth/camera_info'
POINTS = 'depth/points'
COLOR = 'depth/image_color'
STRUCTURE = 'depth/structure'
ATTENTION = 'depth/attention'
SCALE = 'depth/scale'

# What is computed of an image and has its header; SCALE tells of these.
OUTPUTS = {
    DEPTH: Image, INFO: CameraInfo, POINTS: PointCloud2, COLOR: Image, STRUCTURE: Image,
    ATTENTION: Image}
