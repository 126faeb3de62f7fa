#!/bin/sh
# Sentinel rewrites its configuration, so it gets a file of its own. Names instead of addresses, which change.
set -eu
cat >/data/sentinel.conf <<CONF
port 26379
protected-mode no
dir /tmp
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel announce-ip $(hostname)
sentinel monitor mymaster redis 6379 2
sentinel down-after-milliseconds mymaster 2000
sentinel failover-timeout mymaster 10000
CONF
exec redis-sentinel /data/sentinel.conf
