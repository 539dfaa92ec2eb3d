"""Agents of the demo: small tasks for the scripted agent, and minimal ones for agents that cost money."""

from __future__ import annotations

from msgspec import Struct


class DemoAgent(Struct, frozen=True, kw_only=True):
    """One session of the demo."""

    role: str
    prompt: str
    mode: str = "interactive"
    receives_handoff: bool = False
    """It receives the result of the first agent."""
    follow_up: str = ""
    """Its task for that result."""


def scripted_agents(pace: float) -> tuple[DemoAgent, ...]:
    """Return five agents that show the different states; `pace` stretches their pauses."""

    def seconds(base: float) -> str:
        return f"{base * pace:.2f}"

    return (
        DemoAgent(
            role="builder",
            prompt=f"Write a parser and test it. [todos > read the code | write the parser | run the tests]"
            f" [think {seconds(1.2)}] [run ls -la; sleep {seconds(0.8)}]"
            f" [todos x read the code | > write the parser | run the tests] [think {seconds(1.6)}]"
            f" [todos x read the code | x write the parser | > run the tests]"
            f" [run sleep {seconds(1.6)}; echo 12 passed]"
            f" [todos x read the code | x write the parser | x run the tests]"
            f" [stream {seconds(0.06)} The parser is written and its tests say: 12 passed.]",
        ),
        DemoAgent(
            role="cleaner",
            prompt=f"Clean up. [think {seconds(1.0)}] [ask rm -r build] [say The old build is gone.]",
        ),
        DemoAgent(
            role="reviewer",
            prompt=f"Review the design. [think {seconds(0.6)}]"
            f" [stream {seconds(0.12)} The layers are clean, two names could be better, and the tests are quick.]",
            receives_handoff=True,
            follow_up="[think 0.3] [say Thanks. With 12 tests passed I look at the names next.]",
        ),
        DemoAgent(
            role="unlucky",
            prompt=f"Try the network. [think {seconds(0.5)}] [retry overloaded 3 {seconds(0.9)}]"
            " [error rate_limit slow down, try again in a minute]",
        ),
        DemoAgent(
            role="one-shot",
            prompt=f"Count the files. [think {seconds(1.4)}] [run ls | wc -l] [say There are {{last}} files.]",
            mode="exec",
        ),
    )


def real_agents() -> tuple[DemoAgent, ...]:
    """Return two prompts that any agent answers in a few words."""
    return (
        DemoAgent(
            role="asker",
            prompt="Run exactly this shell command, once, then reply with the word done: mkdir lisa-demo-was-here",
        ),
        DemoAgent(
            role="talker",
            prompt="Reply with one short sentence and use no tools: what is tmux good for?",
            receives_handoff=True,
            follow_up="Reply with one word and use no tools.",
        ),
    )


FOLDERS = ("build", "src")
FILES = ("src/parser.py", "README.md")
"""Files of the demo project."""
