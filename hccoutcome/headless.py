"""The command ``hcc`` inside the application, without its window.

``Slicer --no-main-window --python-script .../hccoutcome/headless.py analyse --case FOLDER --package NAME --out DIR``
takes the same words as ``hcc`` and ends the application with the same exit status.
"""

import sys
from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[1])

if __name__ == "__main__":
    # The script's own folder would make modules such as ``case`` importable by a second name.
    sys.path[:] = [ROOT, *(path for path in sys.path if Path(path or ".").resolve() != Path(__file__).parent)]
    from hccoutcome.cli import main

    sys.exit(main())
