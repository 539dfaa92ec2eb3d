"""Start from the launcher of the source tree, isolated from site packages, .pth files and Python settings.

Run as a file by `python -IS`; the tree may be moved, so all paths are relative to this file.
"""

import sys

_TREE = __file__.rpartition("/lisa_py/")[0].removesuffix("/.")  # called as ./lisa
sys.path[:0] = [_TREE, f"{_TREE}/.venv/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"]

if __name__ == "__main__":
    try:
        from lisa_py.cli.start import entry

        entry()
    except KeyboardInterrupt:  # too early for an error answer
        sys.exit(130)
