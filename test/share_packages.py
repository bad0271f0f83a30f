"""
Let an environment use the packages of the one that runs this, after its own.

``python share_packages.py ENVIRONMENT [FOLDER ...]``; the folders hold packages, too.
"""
from pathlib import Path
import sys
import sysconfig

environment, *folders = sys.argv[1:]
here = Path(sysconfig.get_paths()['purelib'])
there = Path(environment) / here.relative_to(sys.prefix)
# A path only: the .pth files of the other environment would start its own ROS.
(there / 'shared.pth').write_text('\n'.join((str(here), *folders, '')))
