# make demo and make test are all that a newcomer needs; see README.md.

.PHONY: all demo test test-reference bench bench-torch shaders setup check

GO ?= go

all: setup
	$(GO) build -o bin/ ./cmd/...

# Install what a bare Debian or Ubuntu lacks: a C compiler for cgo, the Vulkan
# loader, Mesa's drivers (lavapipe needs no GPU), the validation layers.
setup:
	@./cmd/setup.sh

# Compile the GLSL sources that changed and write the manifest (needs glslang-tools).
shaders:
	$(GO) run ./shaders/compile

# Compare with the official implementation's numbers, one line a tensor.
# DINOVK_REFERENCE names another set than the one in dino/testdata/reference.
test-reference:
	$(GO) test -count=1 -v -run '^TestReference' ./dino/...
