"""Start the bundled scripted agent: `python -I -S scripted_agent.py [PROMPT]`, needing nothing but Python itself."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

if __name__ == "__main__":
    # imported rather than written here, so that Python keeps it compiled
    sys.exit(__import__("scripted.program", fromlist=["main"]).main(sys.argv[1:]))
