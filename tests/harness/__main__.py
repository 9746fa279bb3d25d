"""``python -m harness``: see `harness.soak`."""

import sys

from harness.soak import main

sys.exit(main())
