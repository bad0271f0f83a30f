"""The nodes as programs, for `ros2 run` and `python -m s2r_depth_ros.program NAME`."""

import sys
from typing import NoReturn

from .ros.process import end_at_once_on_signals, run

# Each import below takes a second. It comes after the signal handlers are set.


def depth_node() -> NoReturn:
    """Run the depth node as the program of this process."""
    end_at_once_on_signals()

    def main() -> int:
        from .node.depth_node import main

        return main()

    run(main)


def camera_player() -> NoReturn:
    """Run the playback camera as the program of this process."""
    end_at_once_on_signals()

    def main() -> int:
        from .sources.camera_player import main

        return main()

    run(main)


if __name__ == '__main__':
    {'depth_node': depth_node, 'camera_player': camera_player}[sys.argv.pop(1)]()
