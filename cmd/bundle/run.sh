#!/usr/bin/env bash
# Check, measure and train on this machine's GPU. Nothing needs to be installed
# but the GPU's driver:
#   run.sh tests [PACKAGE...]  the tests of all packages, or of some (gpu/op dino)
#   run.sh bench               peaks, kernels, steps, shaders, and beside PyTorch where there is one
#   run.sh train               the demo, and ViT-S/16 with the paper's crops and K = 65,536
#   run.sh [all]               all of these
# What comes out goes to the folder $OUT (results). These may be set as well:
#   LIMIT  seconds that the tests of a package, or another program, may take (300)
#   JOBS   packages whose tests run at once (half the cores, at most 4)
#   RUN    only tests whose names match this
#   BATCH  images of a step of ViT-S/16 (the most of 64, 32 ... that fit; 2 on a CPU)
#   STEPS  steps of each training (20 of ViT-S/16, the whole demo)
set -uo pipefail
part=${1:-all}
[ $# -eq 0 ] || shift
case $part in tests | bench | train | all) ;; *) sed -n '2,/^set/s/^# //p' "$0" >&2; exit 2 ;; esac
here=$(cd "$(dirname "$0")" && pwd)
out=${OUT:-results}
mkdir -p "$out"
out=$(cd "$out" && pwd)
summary=$out/summary.txt
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
export HOME=${HOME:-$tmp} DINOVK_REQUIRE_GPU=1
limit=${LIMIT:-300}
failed=0
cd "$here"

say() { echo "$*" | tee -a "$summary"; }

# program NAME ARGUMENTS: dino-vk within the time limit; its output goes to
# NAME.log too. It says how it ended if that was badly.
program() {
	local log=$out/$1.log code
	echo "\$ dino-vk ${*:2}" | tee -a "$log"
	timeout -k 10 "$limit" bin/dino-vk "${@:2}" 2>&1 | tee -a "$log"
	code=${PIPESTATUS[0]}
	[ "$code" -eq 0 ] || say "exit status $code: dino-vk ${*:2}"
	return "$code"
}

# libraries lends the machine those of lib/ that it lacks.
libraries() {
	local known folder path=${LD_LIBRARY_PATH:-}
	for folder in /usr/local/nvidia/lib64 /usr/local/nvidia/lib; do
		[ ! -d $folder ] || path=${path:+$path:}$folder
	done
	known=$(PATH=$PATH:/sbin:/usr/sbin ldconfig -p 2>/dev/null)
	mkdir "$tmp/lib"
	for file in lib/*; do
		case $known in *"${file#lib/} "*) ;; *) ln -s "$here/$file" "$tmp/lib/" ;; esac
	done
	export LD_LIBRARY_PATH=${path:+$path:}$tmp/lib
}

gpu() { bin/dino-vk devices 2>/dev/null | grep -q 'kind .*GPU'; }

# driver finds NVIDIA's where a container has the libraries without the manifest
# that tells Vulkan's loader of them. The library for EGL needs no X11.
driver() {
	[ -z "${VK_DRIVER_FILES:-}${VK_ICD_FILENAMES:-}" ] && ! gpu || return
	local manifest library
	for library in libGLX_nvidia.so.0 libEGL_nvidia.so.0; do
		printf '{"file_format_version":"1.0.0","ICD":{"library_path":"%s","api_version":"1.3.0"}}\n' $library >"$tmp/$library.json"
	done
	for manifest in /usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json "$tmp"/lib*_nvidia.so.0.json; do
		if VK_DRIVER_FILES=$manifest VK_ICD_FILENAMES=$manifest gpu; then
			export VK_DRIVER_FILES=$manifest VK_ICD_FILENAMES=$manifest # the second for old loaders
			return
		fi
	done
}

# package FOLDER: its tests; the log and how they ended are left in $tmp.
package() {
	local log=$tmp/${1//\//_} begun=$SECONDS
	(cd "$1" && timeout -k 10 $((limit + 10)) "$PWD/${1##*/}.test" -test.v -test.timeout "${limit}s" ${RUN:+-test.run "$RUN"}) >"$log" 2>&1
	echo "$1 $? $((SECONDS - begun))" >"$log.end"
	mv "$log.end" "$log.ended" # whole when it is seen
}

# report says how the packages went whose tests ended since it last did.
report() {
	local end log p code seconds
	for end in "$tmp"/*.ended; do
		[ -e "$end" ] || continue
		read -r p code seconds <"$end"
		rm "$end"
		log=${end%.ended}
		say "$(printf '%-5s %-24s %4d s  %4d passed, %d skipped, %d failed' "$([ "$code" -eq 0 ] && echo ok || echo FAIL)" "$p" "$seconds" \
			"$(grep -c '^--- PASS' "$log")" "$(grep -c '^--- SKIP' "$log")" "$(grep -c '^--- FAIL' "$log")")"
		if [ "$code" -ne 0 ]; then
			failed=1
			grep -E '^ *--- FAIL|^panic: |^fatal error: |^SIG' "$log" | sed 's/^/      /' | tee -a "$summary"
			grep -q -E -- '^ *--- FAIL' "$log" || say "      exit status $code: $(tail -n 1 "$log")"
		fi
		{ echo "== $p"; sed -E '/^=== (RUN|PAUSE|CONT|NAME) /d' "$log"; } >>"$out/tests.log"
	done
}

tests() {
	local packages=("$@") p cores
	cores=$(nproc)
	[ $# -gt 0 ] || mapfile -t packages < <(find . -name '*.test' -printf '%h\n' | sed 's|^\./||' | sort)
	local jobs=${JOBS:-$((cores < 4 ? 1 : cores < 8 ? cores / 2 : 4))}
	say "== tests"
	for p in "${packages[@]}"; do
		while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n; report; done
		package "$p" &
	done
	while [ -n "$(jobs -rp)" ]; do wait -n; report; done
	report
}

# vit NAME ARGUMENTS: dino-vk with the largest batch of ViT-S/16 that fits.
vit() {
	local sizes="64 32 16 8 4 2" n
	gpu || sizes=2
	for n in ${BATCH:-$sizes}; do
		program "$@" --batch-size "$n"
		case $? in
		0) BATCH=$n; return ;;
		124 | 137) break ;; # too slow, not too large
		esac
	done
	failed=1
}

bench() {
	say "== bench"
	! gpu || program tune tune || failed=1
	local only=peaks,steps,host,kernels part
	gpu || only=peaks,steps,host # kernels take a CPU too long
	program bench bench --output "$out" --recipe small --only $only || failed=1
	if gpu; then
		vit bench bench --output "$out" --recipe vit-s16 --only $only
		program bench bench --output "$out" --recipe resnet50 --batch-size 8 --only $only || failed=1
		program bench bench --output "$out" --recipe vit-s16 --only variants || failed=1
		program bench bench --output "$out" --only shaders || failed=1
	fi
	if python3 -c 'import numpy, torch' 2>/dev/null; then
		program bench bench --output "$out" --torch --recipe small --only steps,host || failed=1
		if gpu; then
			for part in steps,host peaks kernels growth; do # each within the limit
				vit bench bench --output "$out" --torch --recipe vit-s16 --only $part
			done
		fi
	else
		say "no python3 with PyTorch: nothing to compare with"
	fi
	grep -E '^(peaks|step|host|growth|torch|dino-vk|ratio)|^picked.* [1-9][0-9]* spilled' "$out/bench.log" | tee -a "$summary"
}

train() {
	say "== train"
	local demo=$tmp/demo
	program train train --config cmd/demo/shapes.yaml --output "$demo" ${STEPS:+--max-steps "$STEPS"} &&
		program train eval knn --checkpoint "$demo" --train shapes:train:n=300 --test shapes:test:n=1000 --nb-knn 20 --baselines || failed=1
	vit train train --data shapes:train:n=256 --output "$tmp/vit" --max-steps "${STEPS:-20}" --knn-every 0 --saveckp-freq 0 --trace "$out/trace-vit-s16.json"
	grep -E '^(shapes:|step .*images/s|done:|raw|untrained|teacher)' "$out/train.log" | tee -a "$summary"
}

libraries
driver
date -u "+%F %T UTC" >>"$summary"
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null | tee -a "$summary"
bin/dino-vk devices 2>&1 | tee -a "$summary"
case $part in
all) tests; bench; train ;;
*) "$part" "$@" ;;
esac
[ $failed -eq 0 ] && say "all is well" || say "something failed"
exit $failed
