#!/bin/sh
# A cluster of plain machines, all with the same emelia in /srv/emelia/.venv and in one private
# network: Ray has no password, so its ports must not be reachable from elsewhere.
#
#   deploy/machines.sh head            on the first
#   deploy/machines.sh node 10.0.0.5   on each other, with the address of the first
#   deploy/machines.sh stop            on each, at the end
#
# Then, on any of them: emelia score /data/calls scores --on ray:10.0.0.5:6379
set -eu
export RAY_USAGE_STATS_ENABLED=0
ray=/srv/emelia/.venv/bin/ray
case "${1:-}" in
    head) exec "$ray" start --head --port=6379 --include-dashboard=false --disable-usage-stats ;;
    node) exec "$ray" start --address="${2:?address of the head}:6379" ;;
    stop) exec "$ray" stop ;;
    *) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
