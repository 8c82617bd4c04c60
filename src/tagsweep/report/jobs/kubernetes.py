"""The schedule as CronJobs of Kubernetes: one that plans, and a suspended one that people start to approve."""

from __future__ import annotations

from typing import Final

from tagsweep.report.jobs import Job, fill, quoted

PATH: Final = "tagsweep-cronjob.yaml"

_TEMPLATE: Final = """\
# Written by "tagsweep schedule kubernetes". What you may have to change is marked with "adjust".
#
#   kubectl create namespace tagsweep
#   kubectl -n tagsweep create secret docker-registry tagsweep-registry \\
#     --docker-server=REGISTRY --docker-username=USER --docker-password=PASSWORD
#   kubectl apply -f @PATH@
#
# The account needs the right to read and delete tags in the registry, and no other.
@SECRET_NOTE@
# tagsweep-plan makes a plan on each date of the policy, on the volume and in its log. To approve it:
#   kubectl -n tagsweep create job --from=cronjob/tagsweep-sweep approved-$(date +%s)
# Who may create Jobs in this namespace may approve; RBAC says who that is. The plan is good for as long as
# "limits: plan_valid:" of the policy says (24 h if it does not). To sweep without approval, make the plan's argument
# --approve=apply, and delete tagsweep-sweep.
apiVersion: v1
kind: ServiceAccount
metadata:
  name: tagsweep
  namespace: tagsweep
automountServiceAccountToken: false
---
@BINDING@
apiVersion: v1
kind: ConfigMap
metadata:
  name: tagsweep
  namespace: tagsweep
data:
  tagsweep.yaml: |2
    @TEXT@
---
# The ledger, the plans, what is needed to take a sweep back, and the changelog: keep it.
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: tagsweep-state
  namespace: tagsweep
spec:
  accessModes: [ReadWriteOnce]
  resources:
    requests:
      storage: 1Gi # adjust
---
apiVersion: batch/v1
kind: CronJob
metadata:
  name: tagsweep-plan
  namespace: tagsweep
spec:
  # @SCHEDULE@. It only wakes tagsweep, which asks what is due.
  schedule: "@CRON@"
  timeZone: @ZONE@
  # No deadline: after a time in which the cluster was off it wakes once, at the next start.
  concurrencyPolicy: Forbid
  successfulJobsHistoryLimit: 3
  failedJobsHistoryLimit: 3
  jobTemplate:
    spec:
      @PLAN@
---
apiVersion: batch/v1
kind: CronJob
metadata:
  name: tagsweep-sweep
  namespace: tagsweep
spec:
  schedule: "@CRON@"
  timeZone: @ZONE@
  # Never by itself: people start it.
  suspend: true
  concurrencyPolicy: Forbid
  jobTemplate:
    spec:
      @SWEEP@
"""
_POD: Final = """\
# Tried again after an error of a registry or source, for about ten minutes; not what was refused (4), is partial (3),
# is damaged (7) or is a matter of the policy or of the plan (2, 5): that waits for people.
backoffLimit: 6
podFailurePolicy:
  rules:
    - action: FailJob
      onExitCodes:
        containerName: tagsweep
        operator: In
        values: [2, 3, 4, 5, 7]
template:
  spec:
    serviceAccountName: tagsweep
    automountServiceAccountToken: @TOKEN@
    restartPolicy: Never
    terminationGracePeriodSeconds: 120
    securityContext:
      runAsNonRoot: true
      runAsUser: 65532
      runAsGroup: 65532
      fsGroup: 65532
      seccompProfile:
        type: RuntimeDefault
    containers:
      - name: tagsweep
        image: @IMAGE@ # adjust
        command: [tagsweep]
        args:
          - run
          - --config=/var/lib/tagsweep/tagsweep.yaml
          - --state=/var/lib/tagsweep/state
          @ARGUMENTS@
        env:
          - name: HOME
            value: /tmp
          - name: DOCKER_CONFIG
            value: /etc/tagsweep
          @ENVIRONMENT@
        securityContext:
          allowPrivilegeEscalation: false
          readOnlyRootFilesystem: true
          capabilities:
            drop: [ALL]
        resources:
          requests:
            cpu: 50m
            memory: 128Mi
          limits:
            memory: 1Gi # adjust
        volumeMounts:
          - name: state
            mountPath: /var/lib/tagsweep
          # Beside the changelog and the reports that it names, which are on the volume.
          - name: policy
            mountPath: /var/lib/tagsweep/tagsweep.yaml
            subPath: tagsweep.yaml
            readOnly: true
          - name: registry
            mountPath: /etc/tagsweep
            readOnly: true
          - name: tmp
            mountPath: /tmp
    volumes:
      - name: state
        persistentVolumeClaim:
          claimName: tagsweep-state
      - name: policy
        configMap:
          name: tagsweep
      - name: registry
        secret:
          secretName: tagsweep-registry
          items:
            - key: .dockerconfigjson
              path: config.json
      - name: tmp
        emptyDir:
          sizeLimit: 64Mi
"""
_BINDING: Final = """\
# The rights to see what runs are in examples/kubernetes/tagsweep-reader.yaml of tagsweep's repository: apply it too.
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: tagsweep
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: tagsweep-reader
subjects:
  - kind: ServiceAccount
    name: tagsweep
    namespace: tagsweep
---
"""
_VARIABLE: Final = """\
- name: @NAME@
  valueFrom:
    secretKeyRef:
      name: tagsweep-notify
      key: @NAME@
"""


def files(job: Job) -> dict[str, str]:
    """Return the files of the job by their names."""
    note = "#   kubectl -n tagsweep create secret generic tagsweep-notify " + " ".join(
        f"--from-literal={name}=…" for name in job.secrets
    )
    text = fill(
        _TEMPLATE,
        PATH=PATH,
        SCHEDULE=str(job.schedule),
        CRON=job.schedule.cron.replace("?", "*"),
        ZONE=quoted(job.schedule.time_zone if job.schedule.time_zone != "UTC" else "Etc/UTC"),
        TEXT=job.text,
        BINDING=_BINDING if job.in_cluster else "",
        SECRET_NOTE=f"# The policy's notifications need also:\n{note}" if job.secrets else "",
        PLAN=_pod(job, "--approve=plan-only", "--output=/var/lib/tagsweep/plan.json"),
        SWEEP=_pod(job, "--plan=/var/lib/tagsweep/plan.json"),
    )
    return {PATH: text}


def _pod(job: Job, *arguments: str) -> str:
    return fill(
        _POD,
        TOKEN="true" if job.in_cluster else "false",
        IMAGE=quoted(job.image),
        ARGUMENTS="\n".join(f"- {argument}" for argument in arguments),
        ENVIRONMENT="".join(fill(_VARIABLE, NAME=name) for name in job.secrets),
    )
