# make demo and make test are all that a newcomer needs; see README.md.

.PHONY: all demo test test-reference test-onnx test-torch test-drivers test-radv bench bench-torch gpu-bundle shaders setup check

GO ?= go
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2

all: setup
	$(GO) build -o bin/ ./cmd/dino-vk

# Install what a bare Debian or Ubuntu lacks: a C compiler for cgo, the Vulkan
# loader, Mesa's drivers (lavapipe needs no GPU), the validation layers.
setup:
	@./cmd/setup.sh

# Train on the built-in set, measure, write attention pictures; everything goes to demo/.
demo:
	@./cmd/demo/demo.sh

# All tests, with the Khronos validation layer watching every Vulkan call.
test: setup
	DINOVK_VALIDATE=1 $(GO) test -timeout 30m ./...

check:
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...

# Compile the GLSL sources that changed and write the manifest (needs glslang-tools,
# and GLSLANG_COOP, a newer glslang, for cooperative matrices).
shaders:
	$(GO) run ./shaders/compile

# Compare with the official implementation's numbers, one line a tensor.
# DINOVK_REFERENCE names another set than the one in dino/testdata/reference.
test-reference:
	$(GO) test -count=1 -v -run '^TestReference' ./dino/...

# Compare exported ONNX files with ONNX Runtime and let ONNX's checker read them
# (needs node and npm).
ONNXRUNTIME ?= $(CURDIR)/bin/onnxruntime
test-onnx: setup
	@./cmd/setup.sh onnx
	npm install --silent --ignore-scripts --prefix $(ONNXRUNTIME) onnxruntime-node@1.30.0
	DINOVK_ONNXRUNTIME=$(ONNXRUNTIME) $(GO) test -count=1 -v -run 'TestRuntime|TestChecker' ./dino/onnx

# Load exported files in PyTorch, and go on with exported runs in the official
# trainer's own code: DINOVK_DINO names a clone of facebookresearch/dino, and
# DINOVK_TIMM, if set, one of huggingface/pytorch-image-models.
test-torch: setup
	@./cmd/setup.sh torch
	DINOVK_REQUIRE_TORCH=1 $(GO) test -count=1 -v -run '^TestTorch' ./dino

# All tests on several drivers; cmd/drivers.sh says which and how to name them.
test-drivers: setup
	@./cmd/drivers.sh

# Compile every shader for AMD's GPUs without one; cmd/radv.sh says with what.
test-radv:
	@./cmd/radv.sh

# Measure the device: peaks, kernels, training steps; results by device in bench/results.
bench: setup
	$(GO) run ./cmd/dino-vk bench

# Steps and kernels here and in PyTorch (installs Debian's): ratio: NAME=X for each goal, step first.
bench-torch: setup
	@./cmd/setup.sh torch
	$(GO) run ./cmd/dino-vk bench --torch

# A folder and a .tar.xz of it in bundle/ that test, measure and train on a Linux
# machine with a GPU's driver and nothing else; see bench/README.md.
gpu-bundle: setup
	@./cmd/setup.sh bundle
	@./cmd/bundle/bundle.sh
