"""`python -m skactive`: the command line."""

import sys

from skactive.cli import main

if __name__ == "__main__":
    sys.exit(main())
