"""The parts of the codex agent file: starting, binding, its rollout, its signs, its screen."""
