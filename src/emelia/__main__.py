"""`python -m emelia` is the command `emelia`."""

import sys

from emelia.cli import main

if __name__ == "__main__":
    sys.exit(main())
