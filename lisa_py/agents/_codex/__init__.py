"""The parts of the codex agent file: starting, binding, its rollout, its signs, its screen."""

BYPASS = "--dangerously-bypass-approvals-and-sandbox"
FULL_AUTO = "--full-auto"
