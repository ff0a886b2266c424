package again

import (
	"bytes"
	"os"
	"slices"
	"testing"
)

func TestCommand(t *testing.T) {
	const asked = "DINOVK_TEST_AGAIN"
	if os.Getenv(asked) == "1" {
		t.Log("here again")
		return
	}
	cmd := Command(t.Context(), t, "-test.run=^TestCommand$", "-test.v")
	cmd.Env = append(os.Environ(), asked+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("here again")) {
		t.Errorf("%v: %v\n%s", cmd, err, out)
	}
}

func TestStarter(t *testing.T) {
	for _, c := range []struct {
		binary, line string
		own          int
		want         []string
	}{
		{"/tmp/x.test", "x.test", 0, []string{"/tmp/x.test"}},
		{"/tmp/x.test", "x.test -v -run=A", 2, []string{"/tmp/x.test"}},
		{"/lib/ld.so", "ld.so --library-path /lib /tmp/x.test -v", 1, []string{"/lib/ld.so", "--library-path", "/lib", "/tmp/x.test"}},
	} {
		if got := starter(c.binary, bytes.Fields([]byte(c.line)), c.own); !slices.Equal(got, c.want) {
			t.Errorf("%s: started by %q, want %q", c.line, got, c.want)
		}
	}
}
