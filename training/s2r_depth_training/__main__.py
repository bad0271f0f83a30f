"""``python -m s2r_depth_training`` is ``s2r_train``; torchrun wants it so."""

import sys

from .cli import main

sys.exit(main())
