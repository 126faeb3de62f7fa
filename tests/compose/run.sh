#!/bin/sh
# Runs the composed stack, in containers, and the tests of tests/compose/main.rs against it.
#
# What is missing is installed from Debian. Where no Docker engine runs, one is started for the tests and stopped after
# them; where no registry can be reached, images.sh makes the images to begin with. Grafana is no Debian package: its
# image is only looked at where a registry has it. A machine that can run no containers at all is told so, loudly: the
# one case in which these tests are left out, and a failure in CI.
set -eu

cd "$(dirname "$0")/../.."
target=$(tests/target.sh)/compose
mkdir -p "$target"

# One image of each program, whatever this machine carries.
export HAPROXY_VERSION="${HAPROXY_VERSION:-2.6}" REDIS_VERSION="${REDIS_VERSION:-7}" PROMETHEUS_VERSION="${PROMETHEUS_VERSION:-v3.5.0}"
export DOCKER_BUILDKIT=1 COMPOSE_DOCKER_CLI_BUILD=1 BUILDKIT_PROGRESS=plain
# Debian's docker builds without a plug-in that others need.
PATH="/usr/bin:$PATH:/usr/sbin"
export PATH

tests/setup.sh dockerd:docker.io docker-compose:docker-compose debootstrap:debootstrap

engine=
# With everything, and by discovery alone: two stacks, one after the other; both are taken down by the files of the first.
projects="haproxy-jwt-test-$$ haproxy-jwt-test-$$-oidc"
COMPOSE_FILE=docker-compose.yml:deploy/compose/keys.yml:deploy/compose/token-server.yml:deploy/compose/metrics.yml
export COMPOSE_FILE
stop() {
    code=$?
    trap - EXIT INT TERM
    if [ -n "${KEYS_FILE-}" ]; then
        for project in $projects; do
            export COMPOSE_PROJECT_NAME="$project"
            [ "$code" -eq 0 ] || docker-compose logs --no-color --tail=60 2>&1 || true
            docker-compose --profile sentinel --profile cluster down -v --remove-orphans -t 5 >/dev/null 2>&1 || true
        done
    fi
    [ -z "$engine" ] || tests/compose/engine.sh stop "$engine"
    exit "$code"
}
trap stop EXIT INT TERM

if ! docker info >/dev/null 2>&1; then
    if ! unshare --mount --pid --net --fork true 2>/dev/null; then
        echo "=================================================================================" >&2
        echo "LEFT OUT: this machine allows no containers (unshare is refused), and no" >&2
        echo "Docker engine is to be reached. The tests of docker-compose.yml did NOT run." >&2
        echo "=================================================================================" >&2
        # In CI nothing is left out in silence.
        [ "${CI-}" != true ] || exit 1
        exit 0
    fi
    engine="$target/engine"
    tests/compose/engine.sh start "$engine"
    export DOCKER_HOST="unix://$engine/docker.sock"
fi

registry=yes
for image in rust:1-bookworm gcr.io/distroless/base-nossl-debian12:nonroot "haproxy:$HAPROXY_VERSION" "redis:$REDIS_VERSION" "prom/prometheus:$PROMETHEUS_VERSION"; do
    if ! docker image inspect "$image" >/dev/null 2>&1 && ! timeout 300 docker pull -q "$image" >/dev/null 2>&1; then
        registry=no
        break
    fi
done
if [ "$registry" = no ]; then
    echo "no registry can be reached: making the images from Debian's packages and this machine's toolchain"
    tests/compose/images.sh "$target"
fi

for program in agent token-server; do
    image=$([ "$program" = agent ] && echo jwt-agent || echo token-server)
    docker build --network host --build-arg PROFILE="${PROFILE:-dev}" -q -f "Dockerfile.$program" -t "$image" . >/dev/null
done

export COMPOSE_PROJECT_NAME="haproxy-jwt-test-$$"
KEYS_FILE="$target/keys.json"
export KEYS_FILE
cargo test --workspace --test compose -- --test-threads=1 "$@"
