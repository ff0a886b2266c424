package gputest

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"dino-vk/gpu"
)

// process is the device that the tests of a process share.
var process struct {
	sync.Mutex
	dev  *gpu.Device
	err  error
	seen int // validation messages reported already
}

// Open returns the device that all tests of the process share, opened on
// first use, and again where a test lost it, as the environment says (DINOVK_DEVICE, DINOVK_VALIDATE,
// DINOVK_DISABLE). Without one it skips the test, or fails it where
// DINOVK_REQUIRE_GPU=1. Messages of the validation layer that come until the
// test ends fail it.
func Open(t testing.TB) *gpu.Device {
	t.Helper()
	process.Lock()
	defer process.Unlock()
	if process.dev != nil && process.dev.Lost() { // to another test, whose failure says so
		process.dev, process.seen = nil, 0
	}
	if process.dev == nil && process.err == nil {
		process.dev, process.err = gpu.Open(gpu.Options{})
	}
	need(t, process.err)
	t.Cleanup(func() { report(t) })
	return process.dev
}

// OpenToCompile opens a device of the test's own with gpu.Options.CompileOnly.
func OpenToCompile(t testing.TB) *gpu.Device {
	t.Helper()
	dev, err := gpu.Open(gpu.Options{CompileOnly: true})
	need(t, err)
	t.Cleanup(func() {
		if err := dev.Close(); err != nil {
			t.Error(err)
		}
		for _, m := range dev.ValidationMessages() {
			t.Errorf("validation: %s", m)
		}
	})
	return dev
}

// need ends the test where a device could not be opened.
func need(t testing.TB, err error) {
	t.Helper()
	if err == nil {
		return
	}
	missing := errors.Is(err, gpu.ErrNoLoader) || errors.Is(err, gpu.ErrNoDevice)
	if missing && os.Getenv("DINOVK_REQUIRE_GPU") != "1" {
		t.Skip(err)
	}
	t.Fatal(err)
}

// report fails the test for every new message of the validation layer.
func report(t testing.TB) {
	process.Lock()
	defer process.Unlock()
	if process.dev == nil { // it was lost, and could not be opened again
		return
	}
	list := process.dev.ValidationMessages()
	for _, m := range list[process.seen:] {
		t.Errorf("validation: %s", m)
	}
	process.seen = len(list)
}

// Main runs a package's tests, closes the shared device and exits. Messages
// of the validation layer that came outside of tests, leaks among them, fail
// the run.
func Main(m *testing.M) {
	code := m.Run()
	process.Lock()
	defer process.Unlock()
	if dev := process.dev; dev != nil {
		if err := dev.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "close:", err)
			code = max(code, 1)
		}
		if left := dev.ValidationMessages()[process.seen:]; len(left) > 0 {
			fmt.Fprintln(os.Stderr, "validation, after the tests:\n"+strings.Join(left, "\n"))
			code = max(code, 1)
		}
	}
	os.Exit(code)
}
