#!/bin/sh
# Make bundle/dino-vk-gpu and bundle/dino-vk-gpu.tar.xz, which run on a Linux
# machine that has a GPU's driver and nothing else: the sources with what tests
# read, each package's compiled tests in its folder, dino-vk, run.sh, and the
# libraries that are opened at run time, for machines that lack them.
set -eu
cd "$(dirname "$0")/../.."
go=${GO:-go}
name=dino-vk-gpu
to=bundle/$name

rm -rf "$to" "$to.tar.xz"
mkdir -p "$to/lib"
git ls-files -z --cached --others --exclude-standard | tar -c --null -T - | tar -x -C "$to"
cp cmd/bundle/run.sh "$to/"

"$go" build -ldflags='-s -w' -o "$to/bin/" ./cmd/dino-vk
"$go" list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./... | while read -r package; do
	folder=${package#*/}
	"$go" test -c -ldflags='-s -w' -o "$to/$folder/$(basename "$folder").test" "./$folder"
done

# Vulkan's loader and libjpeg-turbo; X11's and EGL's loader, without which NVIDIA's
# driver does not load. The C library's are the machine's own.
for wanted in libvulkan.so.1 libturbojpeg.so.0 libX11.so.6 libXext.so.6 libEGL.so.1; do
	file=$(realpath "$(cc -print-file-name=$wanted)")
	cp "$file" "$to/lib/$wanted"
	ldd "$file" | sed -n 's/^\t\([^ ]*\) => \(\/[^ ]*\).*/\1 \2/p' | while read -r needed path; do
		case $needed in libc.so.* | libm.so.* | libdl.so.* | libpthread.so.* | librt.so.*) ;; *) cp "$path" "$to/lib/$needed" ;; esac
	done
done

# The programs have most in common: with a dictionary larger than the whole they
# take less than half of what gzip makes of them.
tar -c -C bundle --owner=0 --group=0 "$name" | xz --x86 --lzma2=preset=4,dict=128MiB >"$to.tar.xz"
du -h "$to.tar.xz"
