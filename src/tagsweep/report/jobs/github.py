"""The schedule as a workflow of GitHub Actions: a job that plans, and one that sweeps when people have approved."""

from __future__ import annotations

from typing import Final

from tagsweep.report.jobs import Job, fill, quoted

PATH: Final = ".github/workflows/tagsweep.yml"

_TEMPLATE: Final = """\
# Written by "tagsweep schedule github". What you may have to change is marked with "adjust".
#
# The job "plan" asks whether a date of @POLICY@ is due, and makes the plan: an artifact, and a summary of this page.
# The job "sweep" carries it out when the reviewers of the environment "tagsweep" have approved. Add them once, in the
# settings of the repository: Environments, New environment, "tagsweep", Required reviewers. Without reviewers nothing
# waits. The plan is good for as long as "limits: plan_valid:" of the policy says (24 h if it does not).
name: tagsweep

on:
  schedule:
    # @SCHEDULE@, in UTC, which is all that GitHub knows. It only wakes tagsweep, which asks what is due.
    - cron: "@CRON@"
    # GitHub forgets a cache that nobody used for 7 days, and stops schedules of public repositories in which nothing
    # happened for 60 days. If a rule or the evidence goes by what tagsweep saw before (of: first-seen, remember), wake
    # it often enough to keep its memory; it does nothing when nothing is due:
    # - cron: "23 5 */3 * *"
  workflow_dispatch:
    inputs:
      force:
        description: Plan although no date is due
        type: boolean
        default: false

# Each job asks for what it needs, and nothing else is granted.
permissions: {}

# Two runs never touch the registry or the state at once.
concurrency:
  group: tagsweep
  cancel-in-progress: false

defaults:
  run:
    shell: bash

env:
  # adjust: where pip gets tagsweep
  TAGSWEEP_PACKAGE: @PACKAGE@
  TAGSWEEP_STATE: tagsweep-state
  LINK: ${{ github.server_url }}/${{ github.repository }}/actions/runs/${{ github.run_id }}

jobs:
  plan:
    runs-on: ubuntu-latest
    timeout-minutes: 120
    permissions:
      contents: read
    outputs:
      planned: ${{ steps.plan.outputs.planned }}
    steps:
      # adjust: your organisation may want actions pinned to commits
      - uses: actions/checkout@v4
        with:
          persist-credentials: false
      - uses: actions/setup-python@v5
        with:
          python-version: "3.13"
      - name: Install
        run: pip install "$TAGSWEEP_PACKAGE"
      - name: Fetch the state
        uses: actions/cache/restore@v4
        with:
          path: tagsweep-state
          key: tagsweep-state-${{ github.run_id }}-${{ github.run_attempt }}-plan
          restore-keys: tagsweep-state-
      - name: Plan
        id: plan
        env:
          FORCE: ${{ inputs.force }}
          # adjust: an account that may read and delete tags there and nothing else, as secrets of the repository.
          # Planning deletes nothing, but asks whether these credentials could.
          TAGSWEEP_USERNAME: ${{ secrets.TAGSWEEP_USERNAME }}
          TAGSWEEP_PASSWORD: ${{ secrets.TAGSWEEP_PASSWORD }}
          @SECRETS@
        run: |
          options=()
          if [ "$FORCE" = true ]; then options+=(--force); fi
          code=0
          tagsweep run -c @POLICY@ --approve plan-only -o plan.json --summary summary.md --link "$LINK" \\
            "${options[@]}" || code=$?
          if [ -f summary.md ]; then cat summary.md >>"$GITHUB_STEP_SUMMARY"; fi
          if [ "$code" = 0 ] && [ -f plan.json ]; then echo planned=true >>"$GITHUB_OUTPUT"; fi
          exit "$code"
      - name: Keep the plan
        if: always() && steps.plan.outcome != 'skipped'
        uses: actions/upload-artifact@v4
        with:
          name: tagsweep-plan
          path: |
            plan.json
            summary.md
          if-no-files-found: ignore
      - name: Keep the state
        if: always() && steps.plan.outcome != 'skipped'
        uses: actions/cache/save@v4
        with:
          path: tagsweep-state
          key: tagsweep-state-${{ github.run_id }}-${{ github.run_attempt }}-plan

  sweep:
    needs: plan
    if: needs.plan.outputs.planned == 'true'
    runs-on: ubuntu-latest
    timeout-minutes: 360
    environment: tagsweep
    permissions:
      contents: read
    steps:
      - uses: actions/checkout@v4
        with:
          persist-credentials: false
      - uses: actions/setup-python@v5
        with:
          python-version: "3.13"
      - name: Install
        run: pip install "$TAGSWEEP_PACKAGE"
      - name: Fetch the state
        uses: actions/cache/restore@v4
        with:
          path: tagsweep-state
          key: tagsweep-state-${{ github.run_id }}-${{ github.run_attempt }}-sweep
          restore-keys: tagsweep-state-
      - name: Fetch the plan
        uses: actions/download-artifact@v4
        with:
          name: tagsweep-plan
      - name: Sweep
        id: sweep
        env:
          TAGSWEEP_USERNAME: ${{ secrets.TAGSWEEP_USERNAME }}
          TAGSWEEP_PASSWORD: ${{ secrets.TAGSWEEP_PASSWORD }}
          @SECRETS@
        run: |
          code=0
          tagsweep run -c @POLICY@ --plan plan.json --summary swept.md --link "$LINK" || code=$?
          if [ -f swept.md ]; then cat swept.md >>"$GITHUB_STEP_SUMMARY"; fi
          # The policy's changelog has its entry in this checkout: as a patch, for whoever commits it.
          git diff --output=changelog.patch -- . || true
          exit "$code"
      # What "tagsweep restore" needs to take it back: unpack it as tagsweep-state. The cache is no place for that.
      - name: Keep the record
        if: always() && steps.sweep.outcome != 'skipped'
        uses: actions/upload-artifact@v4
        with:
          name: tagsweep-record
          path: |
            tagsweep-state
            swept.md
            changelog.patch
          retention-days: 90
      - name: Keep the state
        if: always() && steps.sweep.outcome != 'skipped'
        uses: actions/cache/save@v4
        with:
          path: tagsweep-state
          key: tagsweep-state-${{ github.run_id }}-${{ github.run_attempt }}-sweep
"""


def files(job: Job) -> dict[str, str]:
    """Return the files of the job by their paths in the repository."""
    secrets = "\n".join(f"{name}: ${{{{ secrets.{name} }}}}" for name in job.secrets)
    text = fill(
        _TEMPLATE,
        POLICY=job.policy,
        SCHEDULE=str(job.schedule),
        CRON=job.utc_cron,
        PACKAGE=quoted(job.package),
        SECRETS=secrets,
    )
    return {PATH: text}
