"""
Add the packages of the running environment to another environment, after its own.

``python share_packages.py ENVIRONMENT [FOLDER ...]``; each folder adds its packages.
"""

from pathlib import Path
import sys
import sysconfig

environment, *folders = sys.argv[1:]
here = Path(sysconfig.get_paths()['purelib'])
there = Path(environment) / here.relative_to(sys.prefix)
# A path only: the .pth files of the other environment would start its own ROS.
(there / 'shared.pth').write_text('\n'.join((str(here), *folders, '')))
