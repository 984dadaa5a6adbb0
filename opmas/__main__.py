"""`python3 -m opmas`: the command `opmas`."""

import sys

from opmas.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
