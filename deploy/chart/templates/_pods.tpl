{{/* What the pods of both Deployments are: one user, that may do nothing, spread over nodes. The argument: root, name, grace. */}}
{{- define "haproxy-jwt.pod" -}}
automountServiceAccountToken: false
terminationGracePeriodSeconds: {{ .grace }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        app.kubernetes.io/name: {{ .name }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile:
    type: RuntimeDefault
{{- with .root.Values.images.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "haproxy-jwt.strategy" -}}
rollingUpdate:
  maxUnavailable: 0
  maxSurge: 1
{{- end }}

{{- define "haproxy-jwt.confined" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* An image; the argument: root, image. */}}
{{- define "haproxy-jwt.image" -}}
image: {{ .image | quote }}
{{- with .root.Values.images.pullPolicy }}
imagePullPolicy: {{ . }}
{{- end }}
{{- end }}

{{/* A map of settings as a container's variables. */}}
{{- define "haproxy-jwt.env" -}}
{{- range $name, $value := . }}
- name: {{ $name }}
  value: {{ if kindIs "float64" $value }}{{ $value | int64 | quote }}{{ else }}{{ $value | toString | quote }}{{ end }}
{{- end }}
{{- end }}

{{/* Where Secrets are mounted: folders, since only those follow a Secret that changes. */}}
{{- define "haproxy-jwt.secret-mounts" -}}
{{- range . }}
- name: secret-{{ . | replace "." "-" }}
  mountPath: /etc/haproxy-jwt/secrets/{{ . }}
  readOnly: true
{{- end }}
{{- end }}

{{- define "haproxy-jwt.secret-volumes" -}}
{{- range . }}
- name: secret-{{ . | replace "." "-" }}
  secret: {secretName: {{ . }}}
{{- end }}
{{- end }}

{{- define "haproxy-jwt.budget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ .name }}
spec:
  maxUnavailable: {{ .root.Values.podDisruptionBudget.maxUnavailable }}
  selector:
    matchLabels:
      app.kubernetes.io/name: {{ .name }}
{{- end }}
