#!/bin/sh
# Takes what HAProxy's own ingress controller needs out of haproxy/haproxy.cfg, so that there is one such file:
#
#   deploy/kubernetes/ingress-controller.sh FOLDER
#
# writes FOLDER/frontend.cfg (`frontend-config-snippet`: the filter and the rules) and FOLDER/haproxy-aux.cfg (the
# auxiliary configuration: the backend of the agents), with the paths of ingress-controller.yaml.
set -eu

[ $# -eq 1 ] || {
    echo "usage: $0 FOLDER" >&2
    exit 64
}
project="$(cd "$(dirname "$0")/../.." && pwd)"
mkdir -p "$1"

# $1: the line that begins a section. Its lines, without comments, and with this pod's paths for the variables.
section() {
    awk -v wanted="$1" '
        $0 == wanted { inside = 1; next }
        inside && /^(global|defaults|frontend|backend|listen)( |$)/ { exit }
        inside && NF && $1 !~ /^#/ { print }
    ' "$project/haproxy/haproxy.cfg" |
        sed -e 's,"${SPOE_CONF}",/haproxy-jwt/spoe/spoe-jwt.conf,' \
            -e 's,"${AGENT_\([12]\)}",unix@/haproxy-jwt/sockets/agent\1.sock,'
}

section "frontend edge" | grep -E '^ *(filter|acl|http-request|http-after-response) ' | sed 's/^ *//' >"$1/frontend.cfg"
{
    echo "backend jwt-agents"
    section "backend jwt-agents"
} >"$1/haproxy-aux.cfg"
