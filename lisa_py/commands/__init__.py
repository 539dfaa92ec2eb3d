"""One file per command; its path is its name: session/kill_all.py is `lisa session kill-all`."""
