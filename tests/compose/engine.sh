#!/bin/sh
# Starts a Docker engine of our own in <folder> and prints its address, or says why this machine cannot run one.
# It opens no door to the outside: no bridge of its own, no address translation, a unix socket that only root may open.
#
#   tests/compose/engine.sh start FOLDER
#   tests/compose/engine.sh stop FOLDER
set -eu

folder=$2
socket="$folder/docker.sock"

case $1 in
start)
    mkdir -p "$folder"
    # On a machine that another engine has set up before, forwarding and address translation are left as they are.
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
    [ -s "$folder/pid" ] || exit 0
    pid=$(cat "$folder/pid")
    kill "$pid" 2>/dev/null || exit 0
    while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
    ;;
esac
