#!/usr/bin/env bash
# Shows that the simulation finds faults: puts each of tests/mutants into a copy of the sources and says after how many
# seeds it was caught. With --check it only looks whether the patches still apply; with names, it tries those.
set -euo pipefail
cd "$(dirname "$0")/.."

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$copy"

check=false
if [ "${1:-}" = --check ]; then
    check=true
    shift
fi
missed=0
names=("$@")
if [ ${#names[@]} -eq 0 ]; then
    names=(tests/mutants/*.patch)
fi
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}/mutants"
for name in "${names[@]}"; do
    name=$(basename "$name" .patch)
    patch="$PWD/tests/mutants/$name.patch"
    if ! patch --quiet --dry-run -d "$copy" -p1 < "$patch" > "$copy/.output" 2>&1; then
        echo "$name: does not apply any more; write it anew"
        missed=1
        continue
    fi
    if $check; then
        continue
    fi
    patch --quiet -d "$copy" -p1 < "$patch"
    if (cd "$copy" && FARCALL_TERSE=1 cargo test --test simulation every_seed > .output 2>&1); then
        echo "$name: NOT CAUGHT"
        missed=1
    elif ! grep -m1 -A1 '^seed ' "$copy/.output" | paste -sd' ' | sed "s/^/$name: /"; then
        tail -n 20 "$copy/.output"
        echo "$name: cannot be built"
        missed=1
    fi
    patch --quiet --reverse -d "$copy" -p1 < "$patch"
done
exit $missed
