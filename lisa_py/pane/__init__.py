"""What runs inside a pane: the supervisor and the hook (POSIX sh), and the bundled scripted agent."""
