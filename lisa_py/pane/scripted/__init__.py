"""A scripted agent that executes the directives of its prompt, for the demo, the tests and as an example agent.

It behaves as real agent CLIs do: a prompt box in raw mode with bracketed paste, queued input, dialogs, Escape to
interrupt; a state file, a transcript, hooks and a pane title that report its state. Directives in brackets make a
prompt a script; other text is ignored. Without any directive the agent repeats the prompt.

    [think 2]             think two seconds; [think FILE] until the file exists
    [wait 2] [wait FILE]  stay in the present state for two seconds, or until the file exists
    [touch FILE]          create a file, as a sign of progress for tests
    [say TEXT]            answer at once; {last} in the text is the last tool's output
    [stream 0.1 TEXT]     answer word by word, pausing between words (0.05 s when no number is given)
    [lines 500 TEXT]      answer 500 numbered lines
    [run COMMAND]         run a shell command as a tool
    [ask COMMAND]         the same after permission (1 yes, 2 always, 3 no, Escape no and stop)
    [choose Q | A | B]    ask a question with numbered answers
    [dialog KIND TITLE | A | B]   any other dialog: trust, login, update, bypass, ...
    [todos x DONE | > DOING | LATER]   set the task list
    [retry KIND 3 0.2]    report an error of the model service three times, 0.2 s apart, then continue
    [error KIND TEXT]     end the turn with an error: auth, rate_limit, server, overloaded, network, too_long, ...
    [limit TEXT]          end the turn with a usage limit
    [usage 900 100 MODEL]   report a model call with so many tokens of input and output
    [title TEXT]          set the pane's title
    [hang 60]             stop reading keys and signals of the state file for so long (for ever without a number)
    [deaf 2]              drop input for so long, as an agent may during its start
    [spin 2]              burn a CPU for two seconds
    [ignore TERM HUP]     ignore signals from now on
    [crash 3] [crash KILL]   die at once, with an exit code or by a signal, leaving everything as it is
    [exit 0]              leave in good order

KIND of an error is a word of lisa_py.contract.frames.ErrorKind.

Tests: tests/pane/test_scripted_agent.py, tests/agents/test_scripted.py.
"""
