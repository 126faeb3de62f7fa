# Debian packages without installing them: sourced by the scripts that unpack one into a folder.
#
# Neither root nor the machine's package lists are needed, and the machine's apt state is neither read nor changed.
# The caller defines `fail`, and removes $apt when it is done with private_suite.

for tool in apt-get dpkg-deb; do
    command -v "$tool" >/dev/null || fail "$tool is missing: this needs a Debian machine"
done

# find_mirror: sets $mirror to the one that this machine already trusts, the first that carries Debian itself and not its
# security archive.
find_mirror() {
    mirror=$(apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(LABEL)' 'Created-By: Packages' |
        awk '$2 == "Debian" && $3 == "Debian" { print $1; exit }')
    [ -n "$mirror" ] || fail "apt knows no Debian mirror: run apt-get update first"
}

# private_suite FOLDER "SUITE..." [OPTION...]: gives apt-get a state of its own in FOLDER, and reads the package lists of
# each SUITE, unless it did so within the last hour: the test programs of one run ask one after the other. The last SUITE is
# the one that packages are taken from.
private_suite() {
    apt=$1 lists=$2
    shift 2
    find_mirror
    mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial"
    sources=
    for taken_from in $lists; do
        sources="${sources}deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $taken_from main
"
    done
    # apt-get makes its cache anew where a file is newer, also one that says what it said before.
    if printf %s "$sources" | cmp -s - "$apt/sources.list" && [ -n "$(find "$apt/read" -mmin -60 2>/dev/null)" ]; then
        return
    fi
    : >"$apt/status"
    printf %s "$sources" >"$apt/sources.list"
    private_apt "$@" update || fail "cannot read $lists from this machine's Debian mirror"
    : >"$apt/read"
}

# apt-get with the state of private_suite. Images of containers have it keep no cache of packages, which it makes anew at each
# call then.
private_apt() {
    apt-get -qq \
        -o Dir::State="$apt/state" -o Dir::State::status="$apt/status" -o Dir::Cache="$apt/cache" \
        -o Dir::Cache::pkgcache=pkgcache.bin -o Dir::Cache::srcpkgcache=srcpkgcache.bin \
        -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null \
        -o APT::Sandbox::User="$(id -un)" -o APT::Install-Recommends=false -o APT::Default-Release="$taken_from" "$@"
}

# unpack PACKAGE SUITE FOLDER [OPTION...]: the files of PACKAGE, as SUITE has it, below FOLDER; without what it depends on.
# The state of apt-get is gone again when the script ends.
unpack() {
    package=$1 suite=$2 unpacked=$3
    shift 3
    mkdir -p "$unpacked"
    apt=$(mktemp -d "$unpacked/apt.XXXXXX")
    trap 'rm -rf "$apt"' EXIT
    private_suite "$apt" "$suite" "$@"
    (cd "$apt" && private_apt download "$package") || fail "cannot download $package of $suite"
    dpkg-deb --extract "$apt/$package"_*.deb "$unpacked" || fail "cannot unpack $package of $suite"
}
