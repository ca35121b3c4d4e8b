"""``python -m ftgui``: the same as the console script ``ftgui``."""

import sys

from ftgui.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
