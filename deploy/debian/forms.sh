#!/bin/sh
# Writes what packages bring beside the programs: manual pages and completions, as the programs in FOLDER print them, and the licences
# of others whose code is in them, into FOLDER/forms.
set -eu

folder=${1:?the folder of the programs, such as target/release}
mkdir -p "$folder/forms"
"$(dirname "$0")/../third_party.sh" >"$folder/forms/THIRD-PARTY-LICENSES"
for program in jwt-agent token-server; do
    "$folder/$program" man >"$folder/forms/$program.8"
    gzip -9nf "$folder/forms/$program.8"
    "$folder/$program" completions bash >"$folder/forms/$program.bash"
    "$folder/$program" completions zsh >"$folder/forms/_$program"
    "$folder/$program" completions fish >"$folder/forms/$program.fish"
done
