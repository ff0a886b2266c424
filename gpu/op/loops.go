package op

// mostIterations bounds what an invocation may loop (see package shaders): below
// llvmpipe's 65,535, so that a few short loops may stand beside a long one.
const mostIterations = 65_000

// rowPasses is the most often that a kernel built on rows.glsl goes through its
// row.
const rowPasses = 3
