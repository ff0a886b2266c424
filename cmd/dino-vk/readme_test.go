package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"dino-vk/dino"
)

// The README's table of settings is the one that the table of flags gives.
func TestReadmeSettings(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	want.WriteString("| flag | reference | default | meaning |\n|---|---|---|---|\n")
	group := ""
	for _, f := range dino.Flags {
		if f.Group != group {
			group = f.Group
			fmt.Fprintf(&want, "| **%s** | | | |\n", group)
		}
		reference := "–"
		if f.Reference != "" {
			reference = "`" + f.Reference + "`"
		}
		value := f.Default
		if value == "" {
			value = " "
		}
		fmt.Fprintf(&want, "| `--%s` | %s | %s | %s |\n", f.Name, reference, value, f.Usage)
	}
	if !strings.Contains(string(text), "\n"+want.String()+"\n") {
		t.Errorf("README.md lacks this table of settings:\n%s", want.String())
	}
}
