"""Start from the launcher at the top of the tree: no site, no .pth files, nothing of the caller's Python settings.

Run as a file by `python -IS`; the tree may be moved, so everything is found from where this file lies.
"""

import sys

_TREE = __file__.rpartition("/lisa_py/")[0]
sys.path[:0] = [_TREE, f"{_TREE}/.venv/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"]

if __name__ == "__main__":
    try:
        from lisa_py.cli.main import entry

        entry()
    except KeyboardInterrupt:  # so early that nobody could answer
        sys.exit(130)
