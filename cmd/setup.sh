#!/bin/sh
# Install through apt what building and testing need and this machine lacks.
# "setup.sh torch" adds the PyTorch that bench-torch and test-torch compare with, "setup.sh
# onnx" the checker of test-onnx, "setup.sh bundle" the libraries that gpu-bundle packs.
set -eu
want="gcc libc6-dev libvulkan1 mesa-vulkan-drivers vulkan-validationlayers"
jpeg=libturbojpeg0
grep -q '^ID=ubuntu' /etc/os-release 2>/dev/null && jpeg=libturbojpeg
want="$want $jpeg"
[ "${1:-}" = torch ] && want="$want python3-torch python3-torchvision python3-pil python3-numpy libopenblas0-pthread"
[ "${1:-}" = onnx ] && want="$want python3-onnx"
[ "${1:-}" = bundle ] && want="$want libx11-6 libxext6 libegl1 xz-utils"
missing=""
for p in $want; do
	dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
done
[ -z "$missing" ] && exit 0
if ! command -v apt-get >/dev/null; then
	echo "setup: not a Debian or Ubuntu system; install:$missing" >&2
	exit 1
fi
sudo=""
[ "$(id -u)" = 0 ] || sudo="sudo"
echo "setup: installing$missing"
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq
$sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null
