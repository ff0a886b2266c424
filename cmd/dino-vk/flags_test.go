package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"dino-vk/dino"
)

// execute runs the program with these arguments in this process.
func execute(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs strings.Builder
	a := app()
	a.Writer, a.ErrWriter = &out, &errs
	err = runApp(t.Context(), a, append([]string{"dino-vk"}, args...))
	return out.String(), errs.String(), err
}

// parse gives the settings of a command line of train, unchecked.
func parse(t *testing.T, args ...string) (dino.Config, error) {
	t.Helper()
	var flags, merged dino.Config
	a := &cli.App{
		Writer: io.Discard, ErrWriter: io.Discard,
		Flags: configFlags(&flags, func(dino.Flag) bool { return true }),
		Action: func(c *cli.Context) (err error) {
			if err := noArguments(c); err != nil {
				return err
			}
			merged, err = mergeConfig(c, flags, 0)
			return err
		},
	}
	err := runApp(t.Context(), a, append([]string{"dino-vk"}, args...))
	return merged, err
}

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// another is a value of the flag that differs from the default.
func another(f dino.Flag) string {
	c := dino.DefaultConfig()
	switch v := f.Value(&c).Get().(type) {
	case bool:
		return fmt.Sprint(!v)
	case int:
		return fmt.Sprint(v + 3)
	case uint64:
		return fmt.Sprint(v + 3)
	case float64:
		return fmt.Sprint(v/2 + 0.1)
	case dino.Scale:
		return "0.25,0.75"
	}
	return "another: one"
}

// Every setting arrives in its field and in no other, from the command line and
// from a file.
func TestEveryFlag(t *testing.T) {
	for _, f := range dino.Flags {
		value := another(f)
		want := dino.DefaultConfig()
		if err := f.Value(&want).Set(value); err != nil {
			t.Fatalf("--%s %s: %v", f.Name, value, err)
		}
		text, err := want.YAML()
		if err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{{"--" + f.Name, value}, {"--" + f.Name + "=" + value}, {"--config", writeConfig(t, string(text))}} {
			if got, err := parse(t, args...); err != nil || got != want {
				t.Errorf("%q: %v, error %v", args, dino.Diff(want, got), err)
			}
		}
	}
}

// Flags win over the file wherever they stand, even with the default's value;
// the file wins over defaults.
func TestFlagsWinOverFile(t *testing.T) {
	file := writeConfig(t, "epochs: 7\nlr: 0.25\nnorm-last-layer: false\nlocal-crops-scale: [0.1, 0.2]\n")
	for _, c := range []struct {
		args   []string
		epochs int
		lr     float64
		norm   bool
		scale  dino.Scale
	}{
		{nil, 100, 0.0005, true, dino.Scale{Min: 0.05, Max: 0.4}},
		{[]string{"--config", file}, 7, 0.25, false, dino.Scale{Min: 0.1, Max: 0.2}},
		{[]string{"--config", file, "--epochs", "9"}, 9, 0.25, false, dino.Scale{Min: 0.1, Max: 0.2}},
		{[]string{"--epochs", "9", "--config", file}, 9, 0.25, false, dino.Scale{Min: 0.1, Max: 0.2}},
		{[]string{"--config", file, "--epochs", "100", "--lr=0.0005"}, 100, 0.0005, false, dino.Scale{Min: 0.1, Max: 0.2}},
		{[]string{"--config", file, "--norm-last-layer", "--local-crops-scale", "0.3,0.4"}, 7, 0.25, true, dino.Scale{Min: 0.3, Max: 0.4}},
		{[]string{"--config", file, "--norm-last-layer", "true"}, 7, 0.25, true, dino.Scale{Min: 0.1, Max: 0.2}},
	} {
		want := dino.DefaultConfig()
		want.Epochs, want.LR, want.NormLastLayer, want.LocalCropsScale = c.epochs, c.lr, c.norm, c.scale
		if got, err := parse(t, c.args...); err != nil || got != want {
			t.Errorf("%q: %v, error %v", c.args, dino.Diff(want, got), err)
		}
	}
	if _, err := parse(t, "--config", writeConfig(t, "epoch: 7\n")); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("a wrong key gives error %v", err)
	}
}

func TestJoinSwitches(t *testing.T) {
	for _, c := range []struct{ args, want []string }{
		{[]string{"train", "--norm-last-layer", "false", "--seed", "1"}, []string{"train", "--norm-last-layer=false", "--seed", "1"}},
		{[]string{"train", "--norm-last-layer", "--seed", "1"}, []string{"train", "--norm-last-layer", "--seed", "1"}},
		{[]string{"-norm-last-layer", "True"}, []string{"-norm-last-layer=True"}},
		{[]string{"--norm-last-layer"}, []string{"--norm-last-layer"}},
		{[]string{"--output", "true", "norm-last-layer", "true"}, []string{"--output", "true", "norm-last-layer", "true"}},
	} {
		if got := joinSwitches(c.args); !slices.Equal(got, c.want) {
			t.Errorf("%q gives %q, want %q", c.args, got, c.want)
		}
	}
}
