{{- define "tagsweep.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-{{ .Chart.Name }}{{ end -}}
{{- end }}

{{- define "tagsweep.account" -}}
{{- default (include "tagsweep.name" .) .Values.serviceAccount.name -}}
{{- end }}

{{- define "tagsweep.claim" -}}
{{- default (include "tagsweep.name" .) .Values.state.existingClaim -}}
{{- end }}

{{- define "tagsweep.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end }}

{{- define "tagsweep.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "tagsweep.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* How often a job is tried: the same as in what "tagsweep schedule kubernetes" writes. */}}
{{- define "tagsweep.tries" -}}
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
{{- end }}

{{/* A pod that runs tagsweep. Called with root, arguments, component, restart, and probe where it has one. */}}
{{- define "tagsweep.pod" -}}
{{- $root := .root -}}
metadata:
  labels:
    {{- include "tagsweep.selector" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
  annotations:
    tagsweep.dev/policy: {{ $root.Values.policy | sha256sum | quote }}
    {{- with $root.Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "tagsweep.account" $root }}
  automountServiceAccountToken: {{ $root.Values.rbac.create }}
  restartPolicy: {{ .restart }}
  terminationGracePeriodSeconds: 120
  {{- with $root.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if and $root.Values.watch.enabled (ne $root.Values.state.accessMode "ReadWriteMany") (ne .component "watch") }}
  # The volume is with the pod that watches.
  affinity:
    podAffinity:
      requiredDuringSchedulingIgnoredDuringExecution:
        - topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- include "tagsweep.selector" $root | nindent 14 }}
              app.kubernetes.io/component: watch
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    seccompProfile:
      type: RuntimeDefault
  containers:
    - name: tagsweep
      image: {{ include "tagsweep.image" $root | quote }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      command: [tagsweep]
      args:
        {{- range .arguments }}
        - {{ . | quote }}
        {{- end }}
      env:
        - name: HOME
          value: /tmp
        - name: XDG_STATE_HOME
          value: /state
        {{- with $root.Values.state.registry }}
        - name: TAGSWEEP_STATE
          value: {{ . | quote }}
        {{- end }}
        {{- if $root.Values.registrySecret }}
        - name: DOCKER_CONFIG
          value: /etc/tagsweep
        {{- end }}
        {{- with $root.Values.env }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: [ALL]
      {{- if .probe }}
      livenessProbe:
        exec:
          command: [sh, -c, 'test -n "$(find /tmp/healthy -mmin -60)"']
        initialDelaySeconds: 300
        periodSeconds: 300
        timeoutSeconds: 10
      {{- end }}
      resources:
        {{- toYaml $root.Values.resources | nindent 8 }}
      workingDir: /state
      volumeMounts:
        - name: state
          mountPath: /state
        # Beside the changelog and the reports that it names, which are on the volume.
        - name: policy
          mountPath: /state/tagsweep.yaml
          subPath: tagsweep.yaml
          readOnly: true
        {{- if $root.Values.registrySecret }}
        - name: registry
          mountPath: /etc/tagsweep
          readOnly: true
        {{- end }}
        - name: tmp
          mountPath: /tmp
  volumes:
    - name: state
      persistentVolumeClaim:
        claimName: {{ include "tagsweep.claim" $root }}
    - name: policy
      configMap:
        name: {{ include "tagsweep.name" $root }}
    {{- if $root.Values.registrySecret }}
    - name: registry
      secret:
        secretName: {{ $root.Values.registrySecret }}
        items:
          - key: .dockerconfigjson
            path: config.json
    {{- end }}
    - name: tmp
      emptyDir:
        sizeLimit: 64Mi
  {{- with $root.Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $root.Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
