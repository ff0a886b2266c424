#!/usr/bin/env bash
# Run the tests on the Vulkan drivers at hand, one after another:
#   - the one that the system has, watched by the validation layer;
#   - MESA_DIR: the lavapipe of another Debian release, a folder in which its
#     packages mesa-vulkan-drivers and libvulkan1 and all that they depend on,
#     libc6 too, are unpacked (dpkg-deb -x); nothing gets installed;
#   - SWIFTSHADER_ICD: SwiftShader's manifest, vk_swiftshader_icd.json (unpacked
#     from the package chromium-common, for one). It takes 20 minutes.
# Arguments go to go test in place of ./...
set -euo pipefail
if [ "${1:-}" = --linked ]; then # --linked FOLDER PROGRAM ARGUMENTS: with that folder's libraries
	libraries=$2
	shift 2
	exec "$(echo "$libraries"/ld-linux-*.so.*)" --library-path "$libraries" "$@"
fi
script=$(realpath "$0")
cd "$(dirname "$script")/.."
[ $# -gt 0 ] || set -- ./...
export DINOVK_REQUIRE_GPU=1
failed=""

tests() { # tests NAME ARGUMENTS
	echo "== $1"
	${GO:-go} test -p 1 -timeout 60m "${@:2}" || failed="$failed $1"
}

DINOVK_VALIDATE=1 tests system "$@"

if [ -n "${MESA_DIR:-}" ]; then
	driver=$(find "$(realpath "$MESA_DIR")" -name libvulkan_lvp.so | head -n 1)
	manifest=$(mktemp --suffix .json)
	trap 'rm -f "$manifest"' EXIT
	printf '{"file_format_version":"1.0.0","ICD":{"library_path":"%s","api_version":"1.3.0"}}\n' "$driver" >"$manifest"
	export VK_DRIVER_FILES=$manifest
	tests mesa -exec "'$script' --linked '$(dirname "$driver")'" "$@"
	# As on processors without AVX-512, and with cooperative matrices.
	LP_NATIVE_VECTOR_WIDTH=256 tests mesa-256 -exec "'$script' --linked '$(dirname "$driver")'" "$@"
	unset VK_DRIVER_FILES
fi

if [ -n "${SWIFTSHADER_ICD:-}" ]; then
	VK_DRIVER_FILES=$(realpath "$SWIFTSHADER_ICD") tests swiftshader "$@"
fi

[ -z "$failed" ] || { echo "failed on:$failed" >&2; exit 1; }
