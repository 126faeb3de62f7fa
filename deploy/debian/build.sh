#!/bin/sh
# Builds Debian packages of both programs from binaries that are built already:
#
#   cargo build --release --bins
#   deploy/debian/build.sh target/release OUTPUT-FOLDER
#
# What depends on what is read from the binaries by dpkg-shlibdeps, as in any Debian package.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
binaries=$(cd "$1" && pwd)
mkdir -p "$2"
output=$(cd "$2" && pwd)
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' "$root/Cargo.toml")
architecture=$(dpkg --print-architecture)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# $1 package, $2 its unit, $3 the line that describes it, $4 further lines of its control file.
package() {
    tree="$work/$1"
    install -D -m 0755 "$binaries/$1" "$tree/usr/bin/$1"
    install -D -m 0644 "$root/deploy/systemd/$2" "$tree/lib/systemd/system/$2"
    install -D -m 0640 "$root/deploy/debian/$1.default" "$tree/etc/default/$1"
    for file in README.md CHANGELOG.md; do
        install -D -m 0644 "$root/$file" "$tree/usr/share/doc/$1/$file"
    done
    mkdir -p "$tree/DEBIAN" "$work/debian"
    echo "/etc/default/$1" >"$tree/DEBIAN/conffiles"
    printf 'Source: haproxy-jwt\n\nPackage: %s\nArchitecture: any\n' "$1" >"$work/debian/control"
    depends=$(cd "$work" && dpkg-shlibdeps -O "$tree/usr/bin/$1" | sed -n 's/^shlibs:Depends=//p')
    cat >"$tree/DEBIAN/control" <<CONTROL
Package: $1
Version: $version
Architecture: $architecture
Maintainer: haproxy-jwt <maintainers@haproxy-jwt.invalid>
Section: net
Priority: optional
Depends: $depends, ca-certificates
$4
Installed-Size: $(du -sk "$tree" | cut -f 1)
Description: $3
CONTROL
    for script in postinst prerm postrm; do
        sed "s/@UNIT@/$2/g" "$root/deploy/debian/$script" >"$tree/DEBIAN/$script"
        chmod 0755 "$tree/DEBIAN/$script"
    done
    dpkg-deb --root-owner-group --build "$tree" "$output/$1_${version}_$architecture.deb" >/dev/null
    echo "$output/$1_${version}_$architecture.deb"
}

package jwt-agent jwt-agent@.service "SPOE agent for HAProxy that verifies JSON Web Tokens" \
    "Recommends: haproxy (>= 2.6)"
package token-server token-server.service "revocation of JSON Web Tokens, for jwt-agent" \
    "Suggests: redis-server"
