#!/usr/bin/env bash
# What the step of action.yml does: one command of tagsweep, its outputs, and a summary of the job.
set -euo pipefail

if [ -n "${INPUT_USERNAME:-}" ]; then
    export TAGSWEEP_USERNAME=$INPUT_USERNAME TAGSWEEP_PASSWORD=${INPUT_PASSWORD:-}
fi
unset INPUT_PASSWORD

work=$(mktemp -d "${RUNNER_TEMP:-/tmp}/tagsweep.XXXXXX")
summary=$work/summary.md
report=$work/report.json
: >"$summary"
code=0

case $INPUT_COMMAND in
plan)
    rm -f "$INPUT_PLAN"
    tagsweep plan -c "$INPUT_CONFIG" -o "$INPUT_PLAN" --markdown "$summary" --json >"$report" || code=$?
    ;;
apply)
    tagsweep apply "$INPUT_PLAN" --yes --json >"$report" || code=$?
    ;;
run)
    options=(--summary "$summary" --link "$LINK")
    if [ "$INPUT_FORCE" = true ]; then options+=(--force); fi
    tagsweep run -c "$INPUT_CONFIG" "${options[@]}" --json >"$report" || code=$?
    ;;
lint)
    # The tags are read from standard input: a tag is never taken for an option.
    printf '%s\n' "$INPUT_TAGS" | tagsweep lint -c "$INPUT_CONFIG" --format github --stdin || code=$?
    ;;
*)
    # Quoted: a line break in it would begin another command for the runner.
    printf '::error::command is %q; it can be plan, apply, run or lint\n' "$INPUT_COMMAND"
    exit 2
    ;;
esac

# The document says what happened, also where the command failed.
python3 - "$report" "$summary" "$INPUT_COMMAND" >>"$GITHUB_OUTPUT" <<'PYTHON'
import json, sys
from pathlib import Path

report, summary, command = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
try:
    found = json.loads(report.read_text())
except (OSError, ValueError):
    found = {}
attempts = [one for one in found.get("attempts", []) if isinstance(one, dict)]
run = found.get("run") if isinstance(found.get("run"), dict) else {}
removals = found.get("removals", run.get("removed_tags", sum(one.get("removed_tags") or 0 for one in attempts)))
names = [run.get("id")] + [one.get("run") for one in attempts]
name = next((one for one in reversed(names) if isinstance(one, str)), "")
print(f"removals={removals or 0}")
print(f"run={name}")
print(f"planned={'true' if command == 'plan' and removals and found.get('path') else 'false'}")
# In the log too, which has nothing else of it. What stands in front keeps a line from being a command for the runner.
told = []
if command == "plan" and found.get("path"):
    told = [f"{removals} tags would go; the plan is {found['path']}"]
elif command == "apply" and run:
    told = [f"{removals} of {run.get('planned_tags', 0)} tags removed, run {name}: {run.get('status', 'unknown')}"]
elif command == "run" and "attempts" in found and not attempts:
    idle = f"Left to the other: {found['held']}" if found.get("held") else "Not due"
    told = [f"{idle}; the next date is {found['next_due']}" if found.get("next_due") else idle]
for one in attempts:
    told += [one.get("title", ""), *one.get("facts", [])]
for line in told:
    print("tagsweep:", " ".join(str(line).split()), file=sys.stderr)
if command == "apply" and run:
    summary.write_text(
        f"## tagsweep\n\n{removals} of {run.get('planned_tags', 0)} tags removed, "
        f"run `{name}`: {run.get('status', 'unknown')}\n"
    )
PYTHON
{
    echo "exit-code=$code"
    echo "summary=$summary"
} >>"$GITHUB_OUTPUT"
if [ -s "$summary" ]; then cat "$summary" >>"$GITHUB_STEP_SUMMARY"; fi
exit "$code"
