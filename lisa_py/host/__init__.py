"""The machine: the only room that starts processes, opens files, reads the clock, environment, tmux and /proc."""
