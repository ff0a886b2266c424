package gpu

import (
	"os"
	"testing"

	"golang.org/x/sys/cpu"
)

func TestLlvmpipe(t *testing.T) {
	for _, c := range []struct {
		driver, version string
		lanes           uint32
		invocations     uint32
		int64           bool
		want            Features
	}{
		{"llvmpipe", "Mesa 22.3.6 (LLVM 15.0.6)", 8, 1024, true, UniformLoads | OrderedSubgroups},
		{"llvmpipe", "Mesa 25.0.7-2 (LLVM 19.1.7)", 8, 1024, true, UniformLoads | QuickBroadcasts | OrderedSubgroups},
		{"llvmpipe", "Mesa 25.0.7-2 (LLVM 19.1.7)", 16, 1024, true, 0},
		{"llvmpipe", "Mesa 26.2.6-1 (LLVM 22.1.8)", 16, 1024, true, UniformLoads | QuickBroadcasts | OrderedSubgroups},
		{"llvmpipe", "Mesa 26.2.6-1 (LLVM 22.1.8)", 8, 256, true, UniformLoads | QuickBroadcasts},
		{"llvmpipe", "Mesa 26.2.6-1 (LLVM 22.1.8)", 4, 1024, true, 0},
		{"llvmpipe", "Mesa 26.2.6-1 (LLVM 22.1.8)", 8, 1024, false, 0},
		{"llvmpipe", "unknown", 8, 1024, true, 0},
		{"radv", "Mesa 25.0.7", 8, 1024, true, 0},
	} {
		d := candidate{}
		d.Driver, d.DriverVersion, d.SubgroupSize, d.MaxInvocations = c.driver, c.version, c.lanes, c.invocations
		d.features.Int64 = c.int64
		if got := d.llvmpipe(); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
		d.features.CooperativeMatrix, d.features.Maintenance4 = true, true
		if got, want := d.mask(0)&CoopMatrix == 0, c.driver == "llvmpipe" && c.lanes == 16 && c.version != "unknown"; got != want {
			t.Errorf("%+v: no cooperative matrices: %v", c, got)
		}
	}
}

func TestWiden(t *testing.T) {
	for _, c := range []struct {
		driver, version string
		set             bool
		want            bool
	}{
		{"llvmpipe", "Mesa 26.2.6-1 (LLVM 22.1.8)", false, cpu.X86.HasAVX512F},
		{"llvmpipe", "Mesa 26.2.6-1 (LLVM 22.1.8)", true, false},
		{"llvmpipe", "Mesa 25.0.7-2 (LLVM 19.1.7)", false, false},
		{"radv", "Mesa 26.2.6-1", false, false},
	} {
		t.Setenv(widthBits, "256") // restored after the test
		if !c.set {
			os.Unsetenv(widthBits)
		}
		d := candidate{}
		d.Driver, d.DriverVersion = c.driver, c.version
		if got := d.widen(); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
		if c.want && (os.Getenv(widthBits) != widestBits || d.widen()) {
			t.Errorf("%+v: the width is %q", c, os.Getenv(widthBits))
		}
	}
}
