// Package gputest runs what a graph records on a real device and makes its
// mistakes visible. A test of an operation is a [Case]:
//
//	c := gputest.New(t)
//	x := c.Input("x", gputest.Normal(1, 33*7), 33, 7)  // values, shape
//	y := c.Output("y", gpu.F32, 33, 7)                 // filled with NaN
//	op.Double(c.Graph, y, x)
//	c.Run()
//	c.Near(y, want, gputest.Eps(2))                    // want []float64
//
// Inputs and outputs lie between guard bands of NaN that kernels can reach:
// what is read outside of a tensor spoils the result, and what is written
// there fails the test. Outputs and scratch memory are filled with NaN, so
// that what no invocation wrote is seen. Everything runs twice from the same
// inputs, and the two runs must give the same bits.
//
// An operation that makes its own output tensor in the graph hands it to
// [Case.Keep]. One that reads and writes a tensor in place takes it from
// [Case.InOut].
//
// Without a device tests are skipped, with DINOVK_REQUIRE_GPU=1 they fail.
// With DINOVK_VALIDATE=1 every message of the validation layer fails the test
// in which it came. A package whose tests use a device has
//
//	func TestMain(m *testing.M) { gputest.Main(m) }
//
// which closes the device at the end and fails if anything leaked.
package gputest
