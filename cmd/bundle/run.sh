#!/usr/bin/env bash
# Check, measure and train on this machine's GPU. Nothing needs to be installed
# but the GPU's driver:
#   run.sh tests [PACKAGE...]  the tests of all packages, or of some (gpu/op dino)
#   run.sh bench [SECTION...]  all of these, or some: tune (the self-test, and the
#       fastest variants for ViT-S/16), steps, copies, pairs and growth (with what
#       there are goals for, beside PyTorch where there is one), vit, small,
#       resnet (peaks, steps, kernels of a recipe), shaders, variants
#   run.sh train               the demo, and ViT-S/16 with the paper's crops and K = 65,536
#   run.sh [all]               all of these
# What comes out goes to the folder $OUT (results). These may be set as well:
#   TOTAL  seconds that all may take together: what is left then is not begun
#   LIMIT  seconds that the tests of a package, or another program, may take (300)
#   JOBS   packages whose tests run at once (half the cores, at most 8)
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
[ -w "$HOME" ] || export XDG_CACHE_HOME=$tmp/cache
limit=${LIMIT:-300}
failed=0
cd "$here"

say() { echo "$*" | tee -a "$summary"; }

# time_left prints the seconds that the next program may take, and fails where that
# is too little to begin it.
time_left() {
	local left=$((${TOTAL:-1000000} - SECONDS - 10))
	left=$((left < limit ? left : limit))
	echo $left
	[ $left -ge 10 ]
}

# program NAME ARGUMENTS: dino-vk within the time limit; its output goes to
# NAME.log too, its figures to the summary. It says how it ended if that was badly.
program() {
	local log=$out/$1.log code seconds before begun=$SECONDS
	seconds=$(time_left) || { say "no time left: dino-vk ${*:2}"; return 124; }
	echo "\$ dino-vk ${*:2}" | tee -a "$log"
	before=$(wc -l <"$log")
	timeout -k 10 "$seconds" bin/dino-vk "${@:2}" 2>&1 | tee -a "$log"
	code=${PIPESTATUS[0]}
	tail -n +$((before + 1)) "$log" >"$tmp/last"
	echo "$((SECONDS - begun)) s" >>"$log"
	grep -E "$figures" "$tmp/last" | tee -a "$summary" >/dev/null
	[ "$code" -eq 0 ] || say "exit status $code after $((SECONDS - begun)) s: dino-vk ${*:2}: $(tail -n 1 "$tmp/last")"
	return "$code"
}
figures='^(peaks|step|host|growth|torch|dino-vk|ratio|shaders|shapes|done|raw|untrained|teacher|left out)[: ]|switched off|^picked.* [1-9][0-9]* spilled'

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

# Not through a pipe, whose reader would end before dino-vk does.
gpu() { grep -q 'kind .*GPU' <<<"$(bin/dino-vk devices 2>/dev/null)"; }

# manifest FILE LIBRARY: of a driver, for Vulkan's loader or EGL's.
manifest() { printf '{"file_format_version":"1.0.0","ICD":{"library_path":"%s","api_version":"1.3.0"}}\n' "$2" >"$1"; }

# driver finds NVIDIA's where a container has the libraries without the manifest
# that tells Vulkan's loader of them. The library for EGL needs no X11, but asks
# EGL's loader, which wants a manifest too.
driver() {
	[ -z "${VK_DRIVER_FILES:-}${VK_ICD_FILENAMES:-}" ] && ! gpu || return
	local file library
	if [ -z "${__EGL_VENDOR_LIBRARY_FILENAMES:-}" ] && ! [ -e /usr/share/glvnd/egl_vendor.d/10_nvidia.json ] && ! [ -e /etc/glvnd/egl_vendor.d/10_nvidia.json ]; then
		manifest "$tmp/egl.json" libEGL_nvidia.so.0
		export __EGL_VENDOR_LIBRARY_FILENAMES=$tmp/egl.json
	fi
	for library in libGLX_nvidia.so.0 libEGL_nvidia.so.0; do
		manifest "$tmp/$library.json" $library
	done
	for file in /usr/share/vulkan/icd.d/nvidia_icd.json /etc/vulkan/icd.d/nvidia_icd.json \
		/usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json "$tmp"/lib*_nvidia.so.0.json; do
		if [ -e "$file" ] && VK_DRIVER_FILES=$file VK_ICD_FILENAMES=$file gpu; then
			export VK_DRIVER_FILES=$file VK_ICD_FILENAMES=$file # the second for old loaders
			return
		fi
	done
	if command -v nvidia-smi >/dev/null; then # a GPU that Vulkan does not see: say why
		file=$tmp/libEGL_nvidia.so.0.json
		VK_DRIVER_FILES=$file VK_ICD_FILENAMES=$file VK_LOADER_DEBUG=error,warn,driver bin/dino-vk devices 2>&1 | tail -n 40 | tee -a "$summary"
	fi
}

# package FOLDER PART PARTS: its tests, or every PARTS-th of them; the log and how
# they ended are left in $tmp. After a test that ends the program, or lasts until
# the limit, the ones that did not begin go on.
package() {
	local test=$PWD/$1/${1##*/}.test log=$tmp/${1//\//_}.$2 begun=$SECONDS all names skip='' seen code seconds
	all=$(cd "$1" && "$test" -test.list "${RUN:-.}" 2>/dev/null | grep -E '^(Test|Example|Fuzz)')
	names=$(awk -v part="$2" -v parts="$3" 'NR % parts == part % parts' <<<"$all" | paste -sd '|')
	: >"$log"
	code=0
	while [ -n "$names" ]; do
		seconds=$(time_left) || { code=124; echo "no time left" >>"$log"; break; }
		(cd "$1" && timeout -k 10 $((seconds + 5)) "$test" -test.v -test.timeout "${seconds}s" -test.run "^($names)\$" ${skip:+-test.skip "$skip"}) >"$log.once" 2>&1
		code=$((code | $?))
		cat "$log.once" >>"$log"
		! grep -q -E '^(PASS|FAIL)$' "$log.once" || break
		seen=$(sed -n 's/^=== RUN   \([^/]*\)$/\1/p' "$log" | sort -u | paste -sd '|')
		[ -n "$seen" ] && [ "^($seen)\$" != "$skip" ] || break
		skip="^($seen)\$"
	done
	echo "$1 $code $((SECONDS - begun)) $2/$3" >"$log.end"
	mv "$log.end" "$log.ended" # whole when it is seen
}

# report says how the packages went whose tests ended since it last did.
report() {
	local end log p code seconds number
	for end in "$tmp"/*.ended; do
		[ -e "$end" ] || continue
		read -r p code seconds number <"$end"
		rm "$end"
		log=${end%.ended}
		[ "$number" = 1/1 ] && number=
		say "$(printf '%-5s %-24s %4d s  %4d passed, %d skipped, %d failed' "$([ "$code" -eq 0 ] && echo ok || echo FAIL)" "$p${number:+ $number}" "$seconds" \
			"$(grep -c '^--- PASS' "$log")" "$(grep -c '^--- SKIP' "$log")" "$(grep -c '^--- FAIL' "$log")")"
		if [ "$code" -ne 0 ]; then
			failed=1
			grep -E '^ *--- FAIL|^panic: |^fatal error: |^SIG|^no time left' "$log" | sed 's/^/      /' | tee -a "$summary"
			sed -n 's/^=== RUN   //p' "$log" | while read -r name; do # what began and did not end
				grep -q -F -- "--- PASS: $name (" "$log" || grep -q -F -- "--- FAIL: $name (" "$log" || grep -q -F -- "--- SKIP: $name (" "$log" ||
					say "      did not end: $name"
			done
			grep -q -E -- '^ *--- FAIL' "$log" || say "      exit status $code: $(tail -n 1 "$log")"
		fi
		{ echo "== $p $number"; sed -E '/^=== (RUN|PAUSE|CONT|NAME) /d' "$log"; } >>"$out/tests.log"
	done
}

# parts says in how many processes a package's tests run: those that take longest
# in several.
parts() {
	case $1 in gpu/op) echo 6 ;; dino) echo 3 ;; bench | cmd/dino-vk) echo 2 ;; *) echo 1 ;; esac
}

tests() {
	local packages=("$@") p number cores
	cores=$(nproc)
	# The kernels first, and what takes long.
	[ $# -gt 0 ] || mapfile -t packages < <(printf '%s\n' gpu gpu/op dino bench cmd/dino-vk
		find . -name '*.test' -printf '%h\n' | sed 's|^\./||' | grep -v -x -E 'gpu|gpu/op|dino|bench|cmd/dino-vk' | sort)
	local jobs=${JOBS:-$((cores < 4 ? 1 : cores < 16 ? cores / 2 : 8))}
	say "== tests"
	for p in "${packages[@]}"; do
		for number in $(seq "$(parts "$p")"); do
			while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n; report; done
			package "$p" "$number" "$(parts "$p")" &
		done
	done
	while [ -n "$(jobs -rp)" ]; do wait -n; report; done
	report
}

# again NAME ARGUMENTS: dino-vk, once more where it failed: a variant of a kernel
# that took the device or the driver down is switched off then.
again() {
	program "$@" && return
	local code=$?
	case $code in 124 | 137) return $code ;; esac # too slow
	grep -q 'out of memory' "$tmp/last" && return $code
	program "$@"
}

# vit NAME ARGUMENTS: dino-vk with the largest batch of ViT-S/16 that fits.
vit() {
	local sizes="64 32 16 8 4 2" n code
	gpu || sizes=2
	for n in ${BATCH:-$sizes}; do
		again "$@" --batch-size "$n"
		code=$?
		[ $code -ne 0 ] || { BATCH=$n; return; }
		grep -q 'out of memory' "$tmp/last" || break
	done
	failed=1
	return $code
}

# tune looks for the fastest variants, after a self-test that may take as many
# starts as there are variants that end the program, or in which the driver stays.
tune() {
	local n limit=$((limit < 150 ? limit : 150))
	for n in 1 2 3 4 5 6; do
		program bench tune --batch-size "${BATCH:-64}" && return
		[ $? -ne 124 ] || break # slow, but what it chose until then is kept
	done
	failed=1
}

# beside PART: of bench --torch, or without PyTorch what there is without it.
beside() {
	if python3 -c 'import numpy, torch' 2>/dev/null; then
		if gpu; then
			vit bench bench --output "$out" --torch --recipe vit-s16 --only "$1"
		else
			again bench bench --output "$out" --torch --recipe small --only "$1" || failed=1
		fi
	else
		say "no python3 with PyTorch: nothing to compare $1 with"
	fi
}

recipe() {
	local only=peaks,steps,host,kernels
	gpu || only=peaks,steps,host # kernels take a CPU too long
	case $1 in
	vit-s16) vit bench bench --output "$out" --recipe vit-s16 --only $only ;;
	resnet50) again bench bench --output "$out" --recipe resnet50 --batch-size 8 --only $only || failed=1 ;;
	*) again bench bench --output "$out" --recipe "$1" --only $only || failed=1 ;;
	esac
}

bench() {
	local sections=("$@") section
	if [ $# -eq 0 ]; then
		sections=(tune steps copies pairs growth vit small resnet shaders variants)
		gpu || sections=(small steps)
	fi
	say "== bench"
	for section in "${sections[@]}"; do
		case $section in
		tune) tune ;;
		steps) beside steps,host ;;
		copies) beside peaks ;;
		pairs) beside kernels ;;
		growth) beside growth ;;
		vit) recipe vit-s16 ;;
		small) recipe small ;;
		resnet) recipe resnet50 ;;
		shaders) again bench bench --output "$out" --only shaders || failed=1 ;;
		variants) again bench bench --output "$out" --recipe vit-s16 --only variants || failed=1 ;;
		*) say "no section $section of bench"; failed=1 ;;
		esac
	done
}

train() {
	say "== train"
	local demo=$tmp/demo
	again train train --config cmd/demo/shapes.yaml --output "$demo" ${STEPS:+--max-steps "$STEPS"} &&
		again train eval knn --checkpoint "$demo" --train shapes:train:n=300 --test shapes:test:n=1000 --nb-knn 20 --baselines || failed=1
	vit train train --data shapes:train:n=256 --output "$tmp/vit" --max-steps "${STEPS:-20}" --knn-every 0 --saveckp-freq 0 --trace "$out/trace-vit-s16.json"
}

libraries
driver
{
	date -u "+%F %T UTC"
	nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null
	bin/dino-vk devices 2>&1
} | tee -a "$summary"
case $part in
all) tests; bench; train ;;
*) "$part" "$@" ;;
esac
[ $failed -eq 0 ] && say "all is well" || say "something failed"
exit $failed
