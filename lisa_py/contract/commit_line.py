"""Build the line with which a caller commits for an agent."""

from lisa_py.contract.quoting import quote


def build_commit_line(folder: str) -> str:
    """Return the line that commits all of a folder without its hooks, which its agent may have written."""
    git = f"git -C {quote(folder)}"
    return f"{git} add -A && {git} -c core.hooksPath=/dev/null commit -m TEXT"
