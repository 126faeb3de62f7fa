#!/bin/sh
# Builds the Debian packages from the binaries of `make`, installs them below a temporary folder, examines their units with
# systemd's own tools, starts them under a systemd of their own, tries the programs, and removes the packages again. Nothing of
# this machine is changed.
set -eu

cd "$(dirname "$0")/.."
target=$(tests/target.sh)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "deb.sh: $*" >&2
    exit 1
}

# cargo-deb packs what it finds in a folder `release`; what the programs were built with makes no difference to the packages.
tools=$(tests/cargo_tool.sh cargo-deb)
mkdir -p "$work/target/release"
cargo build --locked --workspace --bins --message-format=json-render-diagnostics |
    sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' >"$work/programs"
while read -r program; do
    ln -s "$program" "$work/target/release/"
done <"$work/programs"
deploy/debian/forms.sh "$work/target/release"
for program in jwt-agent token-server; do
    PATH="$tools:$PATH" CARGO_TARGET_DIR="$work/target" cargo deb --package "$program" --output "$work/packages" \
        --locked --no-build --strip --fast --quiet >>"$work/built" || fail "$program cannot be packed"
done
[ "$(wc -l <"$work/built")" -eq 2 ] || fail "other than two packages: $(cat "$work/built")"

root="$work/root"
mkdir -p "$root/var/lib/dpkg/updates" "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/triggers" "$root/usr/lib"
: >"$root/var/lib/dpkg/status"
# As on any Debian since 12.
ln -s usr/lib "$root/lib"
# The packages' scripts are this machine's programs here, and its systemd must not hear of them.
mkdir "$work/deaf"
for program in systemctl deb-systemd-invoke; do
    ln -s "$(command -v true)" "$work/deaf/$program"
done

# Below a folder there is no libc6 to depend on; the field itself is looked at.
in_root() {
    PATH="$work/deaf:$PATH" dpkg --root="$root" --log="$work/dpkg.log" --force-depends --force-not-root --force-script-chrootless "$@"
}

while read -r package; do
    dpkg-deb --field "$package" Depends | grep -q 'libc6 (>=' || fail "$package does not depend on its C library"
    # shellcheck disable=SC2046 # one word for each field
    [ $(dpkg-deb --contents "$package" | awk '$2 != "0/0"' | wc -l) -eq 0 ] || fail "$package holds files of another owner"
    in_root --install "$package" >/dev/null 2>"$work/errors" || fail "cannot install: $(cat "$work/errors")"
done <"$work/built"

for program in jwt-agent token-server; do
    "$root/usr/bin/$program" --version | grep -q "^$program " || fail "$program does not run"
    [ -s "$root/etc/default/$program" ] || fail "$program has no settings file"
    for file in README.md SECURITY.md CHANGELOG.md docs/OPERATING.md copyright LICENSE-MIT LICENSE-APACHE THIRD-PARTY-LICENSES; do
        [ -s "$root/usr/share/doc/$program/$file" ] || fail "$program comes without $file"
    done
    for file in "man/man8/$program.8.gz" "bash-completion/completions/$program" "zsh/vendor-completions/_$program" \
        "fish/vendor_completions.d/$program.fish" "$program/$program.schema.json" "$program/$program.toml"; do
        [ -s "$root/usr/share/$file" ] || fail "$program comes without $file"
    done
    gunzip -c "$root/usr/share/man/man8/$program.8.gz" | grep -q '^.SH ENVIRONMENT' || fail "the manual page of $program has no settings"
    for file in dashboards/*; do
        cmp -s "$file" "$root/usr/share/$program/$file" || fail "$program comes without $file"
    done
done
# Every file that users copy, those in folders too.
find haproxy -name '*.cfg' -o -name '*.conf' >"$work/copied"
[ "$(wc -l <"$work/copied")" -ge 4 ] || fail "there is little to copy: $(cat "$work/copied")"
while read -r file; do
    cmp -s "$file" "$root/usr/share/jwt-agent/$file" || fail "jwt-agent comes without $file"
done <"$work/copied"
# What the documents and the units name is there.
grep -ohE '/usr/share/(doc/)?(jwt-agent|token-server)[A-Za-z0-9_./-]*' README.md docs/*.md haproxy/README.md deploy/systemd/* |
    sort -u >"$work/named"
[ "$(wc -l <"$work/named")" -ge 5 ] || fail "the documents name few files: $(cat "$work/named")"
while read -r file; do
    [ -e "$root$file" ] || fail "the documents name $file, which no package brings"
done <"$work/named"

# The shipped settings are good as they stand, apart from the keys, which no package can ship.
(
    set -a
    # shellcheck disable=SC1091 # made above
    . "$root/etc/default/token-server"
    TOKEN_SERVER__ADMIN__SOCKET="$work/admin.sock"
    "$root/usr/bin/token-server" --check
) || fail "token-server refuses the settings that it comes with"

# systemd looks for the units that ours name, and for the programs, below the same folder.
mkdir -p "$root/bin" "$root/etc/systemd/system"
for program in sh systemd-tmpfiles; do
    : >"$root/bin/$program"
    chmod +x "$root/bin/$program"
done
units="$root/lib/systemd/system"
for unit in network-online.target multi-user.target sysinit.target basic.target shutdown.target; do
    printf '[Unit]\nDefaultDependencies=no\n' >"$units/$unit"
done
cp "$units/jwt-agent@.service" "$units/jwt-agent@1.service"
for unit in jwt-agent@1.service token-server.service; do
    said=$(systemd-analyze verify --man=no --root="$root" "$units/$unit" 2>&1 | grep -F "$unit" || true)
    [ -z "$said" ] || fail "systemd on $unit: $said"
    # 0 is a unit that may do nothing, 100 one that may do everything; "OK" ends at 50.
    systemd-analyze security --no-pager --offline=true --threshold=20 --root="$root" "$unit" >"$work/security" 2>&1 ||
        fail "$unit may do too much: $(cat "$work/security")"
    tail -n 1 "$work/security"
done
rm "$units/jwt-agent@1.service"

# In CI nothing is left out.
if [ "$(id -u)" -eq 0 ]; then
    # shellcheck disable=SC2046 # one word for each package
    tests/systemd.sh "$target/systemd" $(cat "$work/built")
else
    echo "LEFT OUT: the units under a systemd of their own, which takes root" >&2
    [ "${CI-}" != true ] || exit 1
fi

# What `systemctl enable` makes goes with the packages.
systemctl --root="$root" enable jwt-agent@1 jwt-agent@2 token-server 2>"$work/errors" || fail "cannot enable: $(cat "$work/errors")"
[ "$(find "$root/etc/systemd" -type l | wc -l)" -eq 3 ] || fail "enabled: $(find "$root/etc/systemd")"
in_root --purge jwt-agent token-server >/dev/null 2>"$work/errors" || fail "cannot remove: $(cat "$work/errors")"
left=$(find "$root" -name '*jwt-agent*' -o -name '*token-server*' | grep -v /var/lib/dpkg || true)
[ -z "$left" ] || fail "left behind: $left"
echo "packages: built, installed, examined and removed"
