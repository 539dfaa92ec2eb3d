"""Run the smoke test: a chain of sessions that spawn each other, monitored, checked, reported and cleaned up."""

from __future__ import annotations

import os

import msgspec
from msgspec import UNSET, UnsetType

from lisa_py import agents
from lisa_py.agents.base import Agent
from lisa_py.contract.errors import CancellationError, LisaError
from lisa_py.contract.quoting import quote_posix
from lisa_py.core.context import Context
from lisa_py.core.fleet import tree
from lisa_py.core.lifecycle import kill, launch
from lisa_py.core.lifecycle.environment import launcher_script
from lisa_py.core.lifecycle.spawn import spawn_session
from lisa_py.core.lifecycle.spawn_plan import SpawnRequest
from lisa_py.core.output.capture import capture_session
from lisa_py.core.output.capture_request import CaptureRequest
from lisa_py.core.wait.stop_rules import StopRules
from lisa_py.core.workflows import monitor_report, smoke_checks, smoke_files, smoke_plan, smoke_report
from lisa_py.core.workflows.monitor_report import MonitorResult, ReportOptions
from lisa_py.core.workflows.smoke_checks import ContractCheck, MatrixRow, PromptProbe
from lisa_py.core.workflows.smoke_plan import ChaosResult, SmokePlan
from lisa_py.core.workflows.smoke_report import SmokeOptions, SmokeResult, SmokeTree
from lisa_py.host import processes
from lisa_py.host.clock import local_stamp
from lisa_py.host.run import find_program


class _SmokeFailure(Exception):
    """A failed step. It ends the run; the report is still written."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


def run(ctx: Context, options: SmokeOptions) -> SmokeResult:
    """Run the smoke test; its sessions are killed afterwards, also after Ctrl-C, unless --keep-sessions is set.

    Raise LisaError: invalid_levels_max, invalid_model, invalid_project_root, missing_bash, tmux_missing,
    smoke_workdir_create_failed.
    """
    if options.levels > smoke_plan.LEVELS_MAX:
        raise LisaError("invalid_levels_max", f"invalid --levels: max supported is {smoke_plan.LEVELS_MAX}")
    profile = smoke_plan.find_profile(
        options.llm_profile, agents.DEFAULT_NESTED, next(iter(_nested_agent().model_aliases.values()), "")
    )
    filled = _apply_profile(options, profile)
    project = ctx.existing_project(filled.project_root)
    if not find_program("bash", ctx.settings.get("PATH", os.defpath)):
        raise LisaError("missing_bash", "bash is not on PATH; the smoke scripts need it")
    ctx.tmux(project).program()
    return _SmokeRunner(ctx, filled, profile.rows if profile else (), project.root).run()


def _nested_agent() -> Agent:
    return agents.get(agents.DEFAULT_NESTED)


def _apply_profile(options: SmokeOptions, profile: smoke_plan.SmokeProfile | None) -> SmokeOptions:
    """Fill in values of the profile that were not given."""
    model = options.model or (profile.model if profile else "")
    style = options.prompt_style
    matrix = options.matrix_file
    if profile is not None:
        style = profile.style if style == "none" else style
        matrix = matrix or "auto"
    return msgspec.structs.replace(
        options, model=smoke_checks.resolve_nested_model(model), prompt_style=style, matrix_file=matrix
    )


class _SmokeRunner:
    """One smoke run and its results so far."""

    def __init__(self, ctx: Context, options: SmokeOptions, rows: tuple[tuple[str, str], ...], root: str) -> None:
        self._ctx = ctx
        self._options = options
        self._rows = rows
        self._began = ctx.clock.monotonic()
        run_id = f"{local_stamp(ctx.clock.now())}-{processes.own_pid()}-{os.urandom(2).hex()}"
        self._folder = smoke_files.create_workdir(ctx, run_id)
        self._plan = SmokePlan(
            run_id=run_id,
            folder=self._folder,
            levels=smoke_plan.build_levels(run_id, self._folder, options.levels),
            agent=_nested_agent().name,
            project_root=root,
            program=os.path.join(self._folder, "lisa"),
            chaos=options.chaos,
            model=options.model,
            poll_interval=options.poll_interval,
            max_polls=options.max_polls,
        )
        self._refs = [ctx.ref(level.session, root) for level in self._plan.levels]
        self._probe: PromptProbe | UnsetType = UNSET
        self._matrix: tuple[MatrixRow, ...] | UnsetType = UNSET
        self._monitored: MonitorResult | UnsetType = UNSET
        self._missing: tuple[str, ...] | UnsetType = UNSET
        self._checks: tuple[ContractCheck, ...] | UnsetType = UNSET
        self._tree: SmokeTree | UnsetType = UNSET
        self._spawned = False

    def run(self) -> SmokeResult:
        failed: _SmokeFailure | None = None
        cleanup: tuple[str, ...] = ()
        try:
            self._check_prompts()
            self._run_chain()
            self._check_contracts()
        except _SmokeFailure as problem:
            failed = problem
        finally:
            if self._spawned:
                smoke_files.collect_session_files(self._ctx, self._plan, self._refs)
                cleanup = () if self._options.keep_sessions else self._clean_up()
        return self._build_result(failed, cleanup)

    # -- steps ------------------------------------------------------------------------------------------------

    def _check_prompts(self) -> None:
        options = self._options
        if options.prompt_style != "none":
            self._probe = found = smoke_checks.probe_style(options.prompt_style, options.model)
            if not found.passed:
                raise _SmokeFailure(
                    "smoke_prompt_style_probe_failed",
                    f"the {found.style} prompt was read as {found.detection.reason}, autoBypass is "
                    f"{str(found.detection.auto_bypass).lower()}",
                )
        rows = self._matrix_rows()
        if not rows:
            return
        self._matrix = done = smoke_checks.probe_matrix(rows, options.model)
        if not done[-1].passed:
            raise _SmokeFailure("smoke_prompt_matrix_assertion_failed", done[-1].mismatch)

    def _matrix_rows(self) -> tuple[tuple[str, str], ...]:
        path = self._options.matrix_file
        if path == "auto":
            if self._rows:
                smoke_files.save(self._plan, "llm-profile-matrix.txt", smoke_plan.format_matrix(self._rows))
            return self._rows
        if not path:
            return ()
        try:
            return smoke_plan.parse_matrix(smoke_files.read_user_file(self._ctx, path))
        except (ValueError, OSError) as problem:
            raise _SmokeFailure("smoke_prompt_matrix_assertion_failed", f"{path}: {problem}") from None

    def _run_chain(self) -> None:
        """Start the outermost level, wait for its end, and find the marker of every level in its output."""
        self._write_scripts()
        self._spawn()
        self._monitor()
        self._read_tree()
        self._check_markers()

    def _read_tree(self) -> None:
        """Read the chain from the records; unreadable records do not fail the run."""
        try:
            found = tree.build_tree(
                self._ctx, self._refs[0].project, tree.TreeQuery(session=self._plan.levels[0].session, with_state=True)
            )
        except LisaError:
            return
        self._tree = SmokeTree(node_count=len(found.rows), roots=found.roots)

    def _write_scripts(self) -> None:
        try:
            smoke_files.save(self._plan, "lisa", launcher_script(), executable=True)
            for level in reversed(self._plan.levels):
                text = smoke_plan.build_script(self._plan, level)
                smoke_files.save(self._plan, os.path.basename(level.script), text, executable=True)
        except LisaError as problem:
            raise _SmokeFailure("smoke_script_write_failed", problem.message) from problem

    def _spawn(self) -> None:
        first = self._plan.levels[0]
        wanted = launch.LaunchRequest(
            agent=self._plan.agent, command=f"/bin/bash {quote_posix(first.script)}", model=self._plan.model
        )
        request = SpawnRequest(launch=wanted, session=first.session, project_root=self._plan.project_root)
        self._spawned = True
        try:
            spawn_session(self._ctx, request)
        except CancellationError:
            raise
        except LisaError as problem:
            raise _SmokeFailure(
                "smoke_spawn_failed", f"failed to spawn L1 smoke session: {problem.message}"
            ) from problem

    def _monitor(self) -> None:
        rules = StopRules(
            poll_interval=self._plan.poll_interval,
            max_polls=self._plan.max_polls,
            stop_on_waiting=False,
            expect="terminal",
        )
        try:
            self._monitored = monitored = monitor_report.monitor_and_report(
                self._ctx, self._refs[0], rules, ReportOptions()
            )
        except CancellationError:
            raise
        except LisaError as problem:
            raise _SmokeFailure(
                "smoke_monitor_failed", f"failed to monitor L1 smoke session: {problem.message}"
            ) from problem
        smoke_files.save(self._plan, "monitor-l1.json", monitored)
        if monitored.error_code is not UNSET:
            raise _SmokeFailure(
                "smoke_monitor_failed",
                f"failed to monitor L1 smoke session: {monitored.exit_reason}"
                + (f", exit code {monitored.exit_code}" if monitored.exit_code is not UNSET else ""),
            )
        if monitored.final_state != "completed":
            raise _SmokeFailure(
                "smoke_unexpected_final_state", f"L1 ended {monitored.final_state} instead of completed"
            )

    def _check_markers(self) -> None:
        lines = smoke_plan.capture_lines(0)
        try:
            taken = capture_session(
                self._ctx, self._refs[0], CaptureRequest(source="pane", lines=lines, strip_noise=False)
            )
        except LisaError as problem:
            raise _SmokeFailure(
                "smoke_capture_failed", f"failed to capture L1 smoke session: {problem.message}"
            ) from problem
        missing = tuple(marker for marker in self._plan.markers if marker not in taken.text)
        if missing:
            self._missing = missing
            raise _SmokeFailure(
                "smoke_marker_assertion_failed", "smoke marker assertions failed: " + ", ".join(missing)
            )

    def _check_contracts(self) -> None:
        if self._options.contract_profile != "full":
            return
        wanted = smoke_checks.list_contracts(self._plan.levels[0].session, self._plan.project_root)
        environ = self._ctx.settings.environ
        self._checks = tuple(smoke_checks.check_contract(self._plan.program, contract, environ) for contract in wanted)
        failed = [check.name for check in self._checks if not check.ok]
        if failed:
            raise _SmokeFailure("smoke_contract_profile_failed", "contract assertions failed: " + ", ".join(failed))

    def _clean_up(self) -> tuple[str, ...]:
        """Kill the chain, deepest first; return the errors."""
        errors: list[str] = []
        for ref in reversed(self._refs):
            try:
                errors += kill.kill_session(self._ctx, ref).errors or ()
            except LisaError as problem:
                errors.append(f"{ref.session}: {problem.message}")
        return tuple(errors)

    # -- the report -------------------------------------------------------------------------------------------

    def _build_result(self, failed: _SmokeFailure | None, cleanup: tuple[str, ...]) -> SmokeResult:
        options, plan = self._options, self._plan
        code, error = (failed.code, failed.text) if failed else ("", "")
        judged: ChaosResult | UnsetType = UNSET
        if options.chaos_report:
            judged = smoke_plan.judge_chaos(options.chaos, code)
            code, error = smoke_report.apply_chaos_result(judged, code, error)
        if not code and cleanup:
            code, error = "smoke_cleanup_failed", "; ".join(cleanup)
        report = SmokeResult(
            ok=not code,
            project_root=plan.project_root,
            levels=options.levels,
            model=options.model or UNSET,
            llm_profile=options.llm_profile,
            contract_profile=options.contract_profile,
            contract_checks=self._checks,
            prompt_style=options.prompt_style,
            prompt_probe=self._probe,
            prompt_matrix=self._matrix,
            chaos=options.chaos,
            chaos_report=options.chaos_report or UNSET,
            chaos_result=judged,
            work_dir=plan.folder,
            keep_sessions=options.keep_sessions,
            export_artifacts=options.export_artifacts or UNSET,
            sessions=plan.sessions,
            markers=plan.markers,
            missing_markers=self._missing,
            monitor=self._monitored,
            tree=self._tree,
            cleanup_errors=cleanup or UNSET,
            seconds=round(self._ctx.clock.monotonic() - self._began, 2),
            error=error or UNSET,
            error_code=code or UNSET,
        )
        smoke_files.save(plan, "report.json", report)
        return self._export(report)

    def _export(self, report: SmokeResult) -> SmokeResult:
        target = self._options.export_artifacts
        if not target:
            return report
        try:
            path = smoke_files.export(self._ctx, self._plan, target)
        except (LisaError, OSError) as problem:
            return msgspec.structs.replace(report, export_error=str(problem))
        return msgspec.structs.replace(report, exported_path=path)
