#!/usr/bin/env bash
# Compile every shader for AMD's GPUs, which takes none: Mesa's RADV pretends to
# have the GPU that RADV_FORCE_FAMILY names (until Mesa 25; 26 dropped it), and
# compiles as for a real one. The registers, spills and memory of each shader are
# printed; one that recipes run may not spill.
#   RADV_DIR  a folder with Mesa 25.0 and, if they are not this system's, all that
#             it depends on, libc6 too, unpacked. On Debian 12:
#               apt-get download -t bookworm-backports mesa-vulkan-drivers
#               dpkg-deb -x mesa-vulkan-drivers_*.deb RADV_DIR
#             (and the same with libdrm-amdgpu1 where apt has not installed it)
#   OUT       a folder to which the tables go, too
#   FAMILIES  RDNA2, RDNA3, RDNA4, CDNA2 and CDNA3 if nothing is named
set -euo pipefail
cd "$(dirname "$0")/.."
[ -n "${RADV_DIR:-}" ] || { sed -n '2,/^set/s/^# \?//p' "$0" >&2; exit 2; }
driver=$(find "$(realpath "$RADV_DIR")" -name libvulkan_radeon.so | head -n 1)
[ -n "$driver" ] || { echo "no libvulkan_radeon.so in $RADV_DIR" >&2; exit 1; }
libraries=$(dirname "$driver")
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
printf '{"file_format_version":"1.0.0","ICD":{"library_path":"%s","api_version":"1.3.0"}}\n' "$driver" >"$tmp/radv.json"
export VK_DRIVER_FILES=$tmp/radv.json

${GO:-go} build -o "$tmp/" ./cmd/dino-vk
${GO:-go} test -c -o "$tmp/gpu.test" ./gpu
run=()
loader=$(find "$libraries" -maxdepth 1 -name 'ld-linux-*.so.*')
[ -z "$loader" ] || run=("$loader" --library-path "$libraries")
failed=""
for family in ${FAMILIES:-navi21 navi31 gfx1201 mi200 gfx940}; do
	export RADV_FORCE_FAMILY=$family
	"${run[@]}" "$tmp/gpu.test" -test.run '^TestCompileOnly$' &&
		"${run[@]}" "$tmp/dino-vk" bench --only shaders --output "${OUT:-$tmp}" || failed="$failed $family"
done
[ -z "$failed" ] || { echo "failed for:$failed" >&2; exit 1; }
