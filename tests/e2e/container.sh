#!/usr/bin/env bash
# Builds config/Containerfile as it stands and runs what it makes: as root on Debian, with buildah, which needs no daemon. Its
# base is a minimal Debian 12 made by debootstrap, not a registry's debian:12-slim. Nothing is left behind.
set -euo pipefail
cd "$(dirname "$0")/../.."

missing=""
for one in buildah debootstrap; do command -v $one >/dev/null || missing+=" $one"; done
[ -z "$missing" ] || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing; } >/dev/null

folder=$(mktemp -d); running=""
end() { [ -z "$running" ] || kill -KILL "$running" 2>/dev/null || true; rm -rf --one-file-system "$folder"; }
trap end EXIT
image() { buildah --root "$folder/images" --runroot "$folder/run" --storage-driver vfs "$@"; }

echo "== a Debian 12"
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | sort -u | head -1)
debootstrap --variant=minbase bookworm "$folder/base" "$mirror" >"$folder/log" 2>&1 || { tail "$folder/log"; exit 1; }
base=$(image from scratch)
image copy --quiet "$base" "$folder/base" / >/dev/null
image commit --quiet "$base" localhost/debian:12-slim >/dev/null

echo "== config/Containerfile"
# How this machine reaches a package index is this machine's affair, and no part of the image.
.venv/bin/python -m pip config list >"$folder/known"
python3 - "$folder" <<'PIP'
import os, sys
from pathlib import Path
folder, given = Path(sys.argv[1]), {}
for line in (folder / "known").read_text().splitlines():
    name, _, value = line.partition("=")
    given[name.rpartition(".")[2].strip("'")] = value.strip("'").encode().decode("unicode_escape")
if "cert" in given:
    (folder / "roots.pem").write_bytes(Path(given["cert"]).read_bytes())
    given["cert"] = "/from/roots.pem"
reach = {key: value for key, value in given.items() if key == "cert" or key.endswith(("-url", "-host"))}
(folder / "pip.conf").write_text("[global]\n" + "".join(f"{key} = {value}\n" for key, value in reach.items()))
PIP
mkdir "$folder/from" && cp "$folder"/roots.pem "$folder/from/" 2>/dev/null || true
image bud --quiet --format docker --pull-never --isolation chroot --volume "$folder/pip.conf:/etc/pip.conf:ro" \
    --volume "$folder/from:/from:ro" --tag sanfen --file config/Containerfile . >"$folder/log" 2>&1 || { tail -20 "$folder/log"; exit 1; }
image images --format '{{.Name}} {{.Size}}' | grep sanfen

echo "== it serves, as user 8970, and ends when it is told to"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
mkdir "$folder/config"
cat >"$folder/config/sanfen.yaml" <<YAML
version: 1
listen: {hooks: "0.0.0.0:$((port + 1))", board: "0.0.0.0:$port"}
admin: {token: "\${SANFEN_TOKEN}"}
storage: /data/sanfen.db
channels: {desk: {secret: "\${DESK_SECRET}"}}
YAML
chmod -R a+rX "$folder/config"
made=$(image from --pull-never localhost/sanfen)
image run --isolation chroot --volume "$folder/config:/config:ro" --env SANFEN_TOKEN="$(openssl rand -hex 32)" \
    --env DESK_SECRET="whsec_$(openssl rand -base64 24)" "$made" -- sanfen serve -c /config/sanfen.yaml 2>"$folder/log" &
running=$!
for _ in $(seq 100); do curl -sf -o /dev/null "http://127.0.0.1:$port/healthz" && break; sleep 0.2; done
curl -sf "http://127.0.0.1:$port/healthz" || { cat "$folder/log"; exit 1; }
echo
inside=$(pgrep -u 8970 -f "^/opt/sanfen/bin/python3 /opt/sanfen/bin/sanfen serve -c /config/sanfen.yaml")
kill -TERM "$inside"
wait "$running" && running="" && echo "container ok"
