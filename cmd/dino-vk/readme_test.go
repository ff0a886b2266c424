package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
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

// Every test that the README's table of features names is where it says.
func TestReadmeFeatures(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "| feature | tests |\n|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	place, test := regexp.MustCompile("^`([a-z/-]+)`"), regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]\w*`)
	rows := 0
	for row := range strings.Lines(table) {
		rows++
		for _, group := range strings.Split(strings.Split(row, "|")[2], ";") {
			at := place.FindStringSubmatch(strings.TrimSpace(group))
			if at == nil {
				t.Errorf("no package in %q", group)
				continue
			}
			files, err := filepath.Glob("../../" + at[1] + "/*_test.go")
			if err != nil || len(files) == 0 {
				t.Errorf("%s has no tests (%v)", at[1], err)
			}
			var source strings.Builder
			for _, file := range files {
				b, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				source.Write(b)
			}
			for _, name := range test.FindAllString(group, -1) {
				if !strings.Contains(source.String(), "\nfunc "+name+"(") {
					t.Errorf("%s has no %s", at[1], name)
				}
			}
		}
	}
	if rows == 0 {
		t.Error("README.md has no table of features")
	}
}
