"""`python -m lisa_py`."""

from __future__ import annotations

from lisa_py.cli.start import entry

if __name__ == "__main__":
    entry()
