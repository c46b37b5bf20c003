"""``python -m hccoutcome.cli``."""

import sys

from hccoutcome.cli import main

if __name__ == "__main__":
    sys.exit(main())
