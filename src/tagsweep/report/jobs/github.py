"""The schedule as a workflow of GitHub Actions: plan, sweep when people have approved, propose the changelog's entry.

The job that may write to the repository has no secret of the registry, and those that have them may not write.
"""

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
@HEAD@
name: tagsweep

on:
  schedule:
    # @SCHEDULE@; below in UTC, which is all that GitHub knows.
    # It only wakes tagsweep, which asks what is due.
    - cron: "@CRON@"
    # Makes up for what GitHub left out under load and for errors, and keeps the cache with the state, which GitHub
    # forgets when nobody used it for 7 days. Nothing is done when nothing is due. (Schedules of public repositories in
    # which nothing happened for 60 days are stopped by GitHub, which tells by mail.)
    - cron: "23 5 */3 * *"
  workflow_dispatch:
    inputs:
      force:
        description: Plan although no date is due
        type: boolean
        default: false
  pull_request:
    paths:
      - @QUOTED_POLICY@

# Each job asks for what it needs, and nothing else is granted.
permissions: {}

# Two runs never touch the registry or the state at once; a pull request's preview waits for none.
concurrency:
  group: tagsweep-${{ github.event_name == 'pull_request' && github.ref || 'run' }}
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
    if: github.event_name != 'pull_request'
    runs-on: ubuntu-latest
    timeout-minutes: 120
    permissions:
      contents: read
    outputs:
      planned: ${{ steps.tagsweep.outputs.planned }}
      @RECORDED_PLAN@
    steps:
      # adjust: your organisation may want actions pinned to commits
      @SETUP@
      @FETCH_STATE@
      - name: Plan
        id: tagsweep
        env:
          FORCE: ${{ inputs.force }}
          # adjust: an account that may read and delete tags there and nothing else, as secrets of the repository.
          # Planning deletes nothing, but asks whether these credentials could.
          @ACCOUNT@
          @SECRETS@
        run: |
          options=()
          if [ "$FORCE" = true ]; then options+=(--force); fi
          code=0
          tagsweep run -c @POLICY@ --approve plan-only -o plan.json --summary summary.md --link "$LINK" \\
            "${options[@]}" || code=$?
          if [ -f summary.md ]; then cat summary.md >>"$GITHUB_STEP_SUMMARY"; fi
          if [ "$code" = 0 ] && [ -f plan.json ]; then echo planned=true >>"$GITHUB_OUTPUT"; fi
          @PATCH@
          exit "$code"
      - name: Keep the plan
        if: always() && steps.tagsweep.outcome != 'skipped'
        uses: actions/upload-artifact@v7
        with:
          name: tagsweep-plan
          path: |
            plan.json
            summary.md
          if-no-files-found: ignore
          overwrite: true
      @KEEP_PATCH@
      @KEEP_STATE@

  sweep:
    needs: plan
    if: needs.plan.outputs.planned == 'true'
    runs-on: ubuntu-latest
    timeout-minutes: 360
    environment: tagsweep
    permissions:
      contents: read
    @RECORDED_SWEEP@
    steps:
      @SETUP@
      @FETCH_STATE@
      - name: Fetch the plan
        uses: actions/download-artifact@v8
        with:
          name: tagsweep-plan
      - name: Sweep
        id: tagsweep
        env:
          @ACCOUNT@
          @SECRETS@
        run: |
          code=0
          tagsweep run -c @POLICY@ --plan plan.json --summary swept.md --link "$LINK" || code=$?
          if [ -f swept.md ]; then cat swept.md >>"$GITHUB_STEP_SUMMARY"; fi
          @PATCH@
          exit "$code"
      # What "tagsweep restore" needs to take it back: unpack it as tagsweep-state. The cache is no place for that.
      - name: Keep the record
        if: always() && steps.tagsweep.outcome != 'skipped'
        uses: actions/upload-artifact@v7
        with:
          name: tagsweep-record
          path: |
            tagsweep-state
            swept.md
          retention-days: 90
          overwrite: true
      @KEEP_PATCH@
      @KEEP_STATE@

  @RECORD@
  # What the policy of a pull request would remove, as a comment. Those of forks have no secrets, and get none.
  preview:
    if: github.event_name == 'pull_request' && github.event.pull_request.head.repo.full_name == github.repository
    runs-on: ubuntu-latest
    timeout-minutes: 120
    permissions:
      contents: read
      pull-requests: write
    steps:
      @SETUP@
      - name: Plan
        id: tagsweep
        env:
          @ACCOUNT@
        run: |
          tagsweep plan -c @POLICY@ --markdown preview.md
      - name: Comment
        if: always() && steps.tagsweep.outcome != 'skipped'
        env:
          GH_TOKEN: ${{ github.token }}
          GH_REPO: ${{ github.repository }}
          NUMBER: ${{ github.event.number }}
        run: |
          if [ ! -f preview.md ]; then echo "No plan could be made of this policy: $LINK" >preview.md; fi
          # The comment of an earlier push is written anew.
          gh pr comment "$NUMBER" --edit-last --body-file preview.md || gh pr comment "$NUMBER" --body-file preview.md
"""
_SETUP: Final = """\
- uses: actions/checkout@v7
  with:
    persist-credentials: false
- uses: actions/setup-python@v7
  with:
    python-version: "3.13"
- name: Install
  run: pip install "$TAGSWEEP_PACKAGE"
"""
_ACCOUNT: Final = """\
TAGSWEEP_USERNAME: ${{ secrets.TAGSWEEP_USERNAME }}
TAGSWEEP_PASSWORD: ${{ secrets.TAGSWEEP_PASSWORD }}
"""
# What one job keeps, the next one fetches: the newest of those whose names begin so.
_KEY: Final = "tagsweep-state-${{ github.run_id }}-${{ github.run_attempt }}-${{ github.job }}"
_FETCH_STATE: Final = f"""\
- name: Fetch the state
  uses: actions/cache/restore@v5
  with:
    path: tagsweep-state
    key: {_KEY}
    restore-keys: tagsweep-state-
"""
_KEEP_STATE: Final = f"""\
- name: Keep the state
  if: always() && steps.tagsweep.outcome != 'skipped'
  uses: actions/cache/save@v5
  with:
    path: tagsweep-state
    key: {_KEY}
"""
_HEAD: Final = """\
#
# The job "record" proposes the entry of @CHANGELOG@ as a pull request. Allow it once, in the settings of the
# repository: Actions, General, "Allow GitHub Actions to create and approve pull requests".
"""
_PATCH: Final = """\
# The changelog has an entry in this checkout, also of what was refused: as a patch, for the job that may write.
git add --intent-to-add @CHANGELOG@ 2>/dev/null || true
git --no-pager diff --output=changelog.patch -- @CHANGELOG@
if [ -s changelog.patch ]; then echo recorded=true >>"$GITHUB_OUTPUT"; fi
"""
_RECORDED: Final = "recorded: ${{ steps.tagsweep.outputs.recorded }}"
_KEEP_PATCH: Final = """\
- name: Keep the entry of the changelog
  if: always() && steps.tagsweep.outputs.recorded == 'true'
  uses: actions/upload-artifact@v7
  with:
    name: tagsweep-changelog
    path: changelog.patch
    overwrite: true
"""
_RECORD: Final = """\
# The entry as a pull request. This job may write to the repository, and has no secret of the registry.
record:
  needs: [plan, sweep]
  if: always() && (needs.plan.outputs.recorded == 'true' || needs.sweep.outputs.recorded == 'true')
  runs-on: ubuntu-latest
  timeout-minutes: 10
  permissions:
    contents: write
    pull-requests: write
  steps:
    - uses: actions/checkout@v7
    - name: Fetch the entry of the changelog
      uses: actions/download-artifact@v8
      with:
        name: tagsweep-changelog
    - name: Propose it
      env:
        GH_TOKEN: ${{ github.token }}
        GH_REPO: ${{ github.repository }}
        BRANCH: tagsweep/run-${{ github.run_id }}-${{ github.run_attempt }}
        BASE: ${{ github.ref_name }}
      run: |
        git apply changelog.patch
        rm changelog.patch
        git switch --create "$BRANCH"
        git add @CHANGELOG@
        git -c user.name="github-actions[bot]" -c user.email="41898282+github-actions[bot]@users.noreply.github.com" \\
          commit -m "Record a sweep of the registry"
        git push origin "$BRANCH"
        gh pr create --base "$BASE" --head "$BRANCH" --title "Record a sweep of the registry" --body "By $LINK"
"""


def files(job: Job) -> dict[str, str]:
    """Return the files of the job by their paths in the repository."""
    secrets = "\n".join(f"{name}: ${{{{ secrets.{name} }}}}" for name in job.secrets)
    text = fill(
        _TEMPLATE,
        POLICY=job.policy,
        QUOTED_POLICY=quoted(job.policy),
        SCHEDULE=str(job.schedule),
        CRON=job.utc_cron,
        PACKAGE=quoted(job.package),
        SECRETS=secrets,
        SETUP=_SETUP,
        ACCOUNT=_ACCOUNT,
        FETCH_STATE=_FETCH_STATE,
        KEEP_STATE=_KEEP_STATE,
        **_recording(job.changelog),
    )
    return {PATH: text}


def _recording(changelog: str) -> dict[str, str]:
    """Return what the template has for the changelog: nothing, where the policy names none in the repository."""
    blanks = ("HEAD", "PATCH", "RECORDED_PLAN", "RECORDED_SWEEP", "KEEP_PATCH", "RECORD")
    if not changelog:
        return dict.fromkeys(blanks, "")
    return {
        "HEAD": fill(_HEAD, CHANGELOG=changelog),
        "PATCH": fill(_PATCH, CHANGELOG=changelog),
        "RECORDED_PLAN": _RECORDED,
        "RECORDED_SWEEP": f"outputs:\n  {_RECORDED}",
        "KEEP_PATCH": _KEEP_PATCH,
        "RECORD": fill(_RECORD, CHANGELOG=changelog) + "\n",
    }
