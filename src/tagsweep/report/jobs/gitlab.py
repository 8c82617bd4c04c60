"""The schedule as jobs of GitLab CI: one that plans, a manual one that sweeps, and one that comments merge requests."""

from __future__ import annotations

from typing import Final

from tagsweep.report.jobs import Job, fill, quoted

PATH: Final = ".gitlab/tagsweep.gitlab-ci.yml"

_TEMPLATE: Final = """\
# Written by "tagsweep schedule gitlab". What you may have to change is marked with "adjust".
#
# 1. Include it in .gitlab-ci.yml:
#      include: {local: .gitlab/tagsweep.gitlab-ci.yml}
# 2. Make the schedule, which GitLab keeps outside of files: Build, Pipeline schedules, New schedule.
#      Interval pattern:  @CRON@
#      Cron timezone:     @ZONE@
#      Variable:          TAGSWEEP = run        (FORCE = true plans although no date is due)
#    It only wakes tagsweep, which asks what is due by the policy: @SCHEDULE@.
# 3. Add the variables TAGSWEEP_USERNAME and TAGSWEEP_PASSWORD (masked, protected): an account that may read and delete
#    tags in the registry and nothing else. Planning deletes nothing, but asks whether these credentials could.
@SECRETS@
# 4. Who may approve: protect the environment "tagsweep" (Settings, CI/CD, Protected environments). Only those people
#    can then start the manual job "tagsweep-sweep". The plan is good for as long as "limits: plan_valid:" of the policy
#    says (24 h if it does not).
# 5. For a comment on merge requests that change the policy: a project access token (role Reporter, scope api) as the
#    masked variable TAGSWEEP_NOTE_TOKEN, and the registry's account as variables that are not protected, because these
#    branches are not: everybody who may push a branch can then use it. Leave both away where that is too many.
@HEAD@

.tagsweep:
  image: python:3.13-slim # adjust
  variables:
    # adjust: where pip gets tagsweep
    TAGSWEEP_PACKAGE: @PACKAGE@
    TAGSWEEP_STATE: tagsweep-state
  before_script:
    - pip install "$TAGSWEEP_PACKAGE"

@RECORD@
.tagsweep-state:
  # The ledger and what was swept. A cache may be lost; then the last date counts as due, and first-seen begins anew.
  cache:
    key: tagsweep-state
    paths: [tagsweep-state/]
    when: always
  # Two jobs never touch the registry or the state at once.
  resource_group: tagsweep

tagsweep-plan:
  extends: [.tagsweep, .tagsweep-state@AND_RECORD@]
  stage: build # adjust: any stage that you have
  rules:
    - if: $CI_PIPELINE_SOURCE == "schedule" && $TAGSWEEP == "run"
  script:
    - |
      options=""
      if [ "$FORCE" = true ]; then options="--force"; fi
      tagsweep run -c @POLICY@ --approve plan-only -o plan.json --summary summary.md --link "$CI_PIPELINE_URL" $options
  artifacts:
    name: tagsweep-plan
    when: always
    paths: [plan.json, summary.md]
    expire_in: 30 days

tagsweep-sweep:
  extends: [.tagsweep, .tagsweep-state@AND_RECORD@]
  stage: deploy # adjust
  needs: [tagsweep-plan]
  rules:
    - if: $CI_PIPELINE_SOURCE == "schedule" && $TAGSWEEP == "run"
      when: manual
  environment:
    name: tagsweep
  script:
    - |
      if [ ! -f plan.json ]; then echo "There is no plan: nothing was due, or nothing is to be removed."; exit 0; fi
      tagsweep run -c @POLICY@ --plan plan.json --summary swept.md --link "$CI_PIPELINE_URL"
  artifacts:
    # With what "tagsweep restore" needs to take it back: unpack it as the state directory.
    name: tagsweep-record
    when: always
    paths: [tagsweep-state/, swept.md]
    expire_in: 90 days

tagsweep-preview:
  extends: .tagsweep
  stage: build # adjust
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event"
      changes: [@QUOTED_POLICY@]
  script:
    - |
      code=0
      tagsweep plan -c @POLICY@ --markdown preview.md || code=$?
      if [ -n "$TAGSWEEP_NOTE_TOKEN" ] && [ -f preview.md ]; then
        python3 - <<'EOF'
      import json, os, urllib.request
      value = os.environ
      url = "{CI_API_V4_URL}/projects/{CI_PROJECT_ID}/merge_requests/{CI_MERGE_REQUEST_IID}/notes".format(**value)
      body = json.dumps({"body": open("preview.md", encoding="utf-8").read()}).encode()
      headers = {"PRIVATE-TOKEN": value["TAGSWEEP_NOTE_TOKEN"], "Content-Type": "application/json"}
      urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=30).close()
      EOF
      fi
      exit "$code"
  artifacts:
    when: always
    paths: [preview.md]
    expire_in: 30 days
"""


_HEAD: Final = """\
# 6. For the entry of @CHANGELOG@ as a merge request: a project access token (role Developer, scope api)
#    as the masked, protected variable TAGSWEEP_RECORD_TOKEN.
"""
_RECORD: Final = """\
# A changelog that has an entry in this checkout, also of what was refused, is proposed as a merge request.
.tagsweep-record:
  after_script:
    - |
      if [ -z "$TAGSWEEP_RECORD_TOKEN" ] || [ ! -f @CHANGELOG@ ]; then exit 0; fi
      python3 - <<'EOF'
      import json, os, urllib.error, urllib.parse, urllib.request
      value, path = os.environ, "@CHANGELOG@"
      project = "{CI_API_V4_URL}/projects/{CI_PROJECT_ID}".format(**value)
      def ask(what, document=None):
          body = None if document is None else json.dumps(document).encode()
          headers = {"PRIVATE-TOKEN": value["TAGSWEEP_RECORD_TOKEN"], "Content-Type": "application/json"}
          with urllib.request.urlopen(urllib.request.Request(project + what, body, headers), timeout=60) as answer:
              return answer.read()
      base, text = value["CI_DEFAULT_BRANCH"], open(path, "rb").read()
      place = urllib.parse.quote(path, safe="")
      try:
          before = ask(f"/repository/files/{place}/raw?ref={value['CI_COMMIT_SHA']}")
      except urllib.error.HTTPError as error:
          if error.code != 404:
              raise
          before = None
      if text == before:
          raise SystemExit
      branch, title = f"tagsweep/job-{value['CI_JOB_ID']}", "Record a sweep of the registry"
      action = {"action": "create" if before is None else "update", "file_path": path, "content": text.decode()}
      commit = {"branch": branch, "start_sha": value["CI_COMMIT_SHA"], "commit_message": title, "actions": [action]}
      ask("/repository/commits", commit)
      request = {"source_branch": branch, "target_branch": base, "title": title, "remove_source_branch": True}
      ask("/merge_requests", request | {"description": "By " + value["CI_JOB_URL"]})
      EOF
"""


def files(job: Job) -> dict[str, str]:
    """Return the files of the job by their paths in the repository."""
    names = ", ".join(job.secrets)
    text = fill(
        _TEMPLATE,
        POLICY=job.policy,
        QUOTED_POLICY=quoted(job.policy),
        SCHEDULE=str(job.schedule),
        CRON=job.schedule.cron,
        ZONE=job.schedule.time_zone,
        PACKAGE=quoted(job.package),
        HEAD=fill(_HEAD, CHANGELOG=job.changelog) if job.changelog else "",
        RECORD=fill(_RECORD, CHANGELOG=job.changelog) + "\n" if job.changelog else "",
        AND_RECORD=", .tagsweep-record" if job.changelog else "",
        SECRETS=f"#    The policy's notifications need also: {names}." if names else "",
    )
    return {PATH: text}
