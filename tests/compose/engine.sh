#!/bin/sh
# Starts a Docker engine of our own in <folder> and prints its address, or says why this machine cannot run one.
# It opens no door to the outside: no bridge of its own, no address translation, a unix socket that only root may open.
# Stopping it puts back what the machine forwards, and where to.
#
#   tests/compose/engine.sh start FOLDER
#   tests/compose/engine.sh stop FOLDER
set -eu

folder=$2
socket="$folder/docker.sock"

forwarding=/proc/sys/net/ipv4/ip_forward

# The policy of what this machine forwards, for each iptables that it has; none is no fault.
policies() {
    for tool in iptables iptables-legacy iptables-nft; do
        policy=$("$tool" -S FORWARD 2>/dev/null | sed -n 's/^-P FORWARD //p') || continue
        [ -z "$policy" ] || echo "$tool $policy"
    done
}

case $1 in
start)
    mkdir -p "$folder"
    # A run that was killed has left its record: what it found is what counts.
    if [ ! -e "$folder/forwarding" ]; then
        policies >"$folder/policies"
        cat "$forwarding" >"$folder/forwarding"
    fi
    # Forwarding and address translation are left as they are; stop sees to it.
    setsid dockerd --data-root "$folder/data" --exec-root "$folder/exec" --pidfile "$folder/pid" -H "unix://$socket" \
        --bridge=none --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false \
        >"$folder/log" 2>&1 </dev/null &
    started=$!
    tries=0
    until docker -H "unix://$socket" info >/dev/null 2>&1; do
        tries=$((tries + 1))
        if ! kill -0 "$started" 2>/dev/null || [ "$tries" -gt 600 ]; then
            tail -n 5 "$folder/log" >&2
            exit 1
        fi
        sleep 0.1
    done
    ;;
stop)
    if [ -s "$folder/pid" ]; then
        pid=$(cat "$folder/pid")
        kill "$pid" 2>/dev/null || true
        while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
    fi
    # Also where the engine ended by itself, or never came up: the machine forwards what it did before.
    if [ -e "$folder/forwarding" ]; then
        while read -r tool policy; do "$tool" -P FORWARD "$policy"; done <"$folder/policies"
        cmp -s "$folder/forwarding" "$forwarding" || cat "$folder/forwarding" >"$forwarding"
        rm "$folder/policies" "$folder/forwarding"
    fi
    ;;
esac
