#!/bin/sh
# Compiles the executable: dist/holdfast for this host, dist/holdfast-<target> for each target named.
#
#   ./compile.sh                            this host
#   ./compile.sh linux-arm64 darwin-arm64   others
#   ./compile.sh all                        this host and every target
#
# Compiling for another system downloads Bun for it from the npm registry, once.
set -eu

targets="linux-x64 linux-arm64 linux-x64-musl linux-arm64-musl darwin-x64 darwin-arm64
  windows-x64 windows-arm64"

fail() {
  printf 'compile.sh: %s\n' "$1" >&2
  exit "${2:-1}"
}

known() {
  for each in $targets; do
    [ "$each" != "$1" ] || return 0
  done
  return 1
}

# compile <output> [<target>]
compile() {
  output=$1
  log=$1.log
  rm -f "$output" "$output.exe"
  # shellcheck disable=SC2086 # without a target there is no argument
  if ! "$bun" build lib/cli/executable.ts \
    --compile --minify --sourcemap --bytecode --format=esm \
    --no-compile-autoload-dotenv --no-compile-autoload-bunfig \
    --compile-exec-argv=--no-warnings \
    ${2:+--target=bun-$2} --outfile "$output" >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    fail "$output was not made${2:+; Bun for $2 comes from registry.npmjs.org, is it reachable?}"
  fi
  [ -f "$output" ] || output=$output.exe
  [ -f "$output" ] || fail "bun reported success but made no $output; see $log"
  # The executable contains its source map and the log says nothing more.
  rm -f "$log" "${output%.exe}.map"
  printf '%s  %s MB\n' "$output" "$(($(wc -c <"$output") / 1000000))"
}

cd "$(dirname "$0")"
for target in "$@"; do
  [ "$target" = all ] || known "$target" ||
    fail "unknown target '$target'; use $(echo $targets | sed 's/ /, /g') or all" 2
done

bun=./node_modules/.bin/bun
if [ ! -x "$bun" ]; then
  if command -v deno >/dev/null; then deno install --quiet; else npx -y deno install --quiet; fi
  [ -x "$bun" ] || fail "$bun is missing; install the dependencies with: npx -y deno task setup"
fi
mkdir -p dist

if [ $# -eq 0 ]; then
  compile dist/holdfast
fi
for target in "$@"; do
  if [ "$target" = all ]; then
    compile dist/holdfast
    for each in $targets; do compile "dist/holdfast-$each" "$each"; done
  else
    compile "dist/holdfast-$target" "$target"
  fi
done
