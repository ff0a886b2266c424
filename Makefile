.PHONY: shaders

# Compile the GLSL sources that changed and write the manifest (needs glslang-tools).
shaders:
	go run ./shaders/compile
