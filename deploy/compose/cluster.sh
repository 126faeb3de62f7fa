#!/bin/sh
# Makes one cluster of three masters, once. Nodes meet by address: a cluster does not look up names.
set -eu
nodes=
for node in cluster1 cluster2 cluster3; do
    until redis-cli -h "$node" ping >/dev/null 2>&1; do sleep 0.2; done
    nodes="$nodes $(getent hosts "$node" | cut -d ' ' -f 1):6379"
done
if redis-cli -h cluster1 cluster info | grep -q cluster_state:ok; then exit 0; fi
# shellcheck disable=SC2086 # one word for each node
redis-cli --cluster create $nodes --cluster-replicas 0 --cluster-yes
