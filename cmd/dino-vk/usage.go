package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"dino-vk/dino"
)

// usageError is a mistake in the command line; command is the one whose help
// would help.
type usageError struct {
	err     error
	command string
}

func (e *usageError) Error() string { return fmt.Sprintf("%v (see %s --help)", e.err, e.command) }
func (e *usageError) Unwrap() error { return e.err }

func usagef(c *cli.Context, format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...), c.Command.HelpName}
}

// required refuses a command line that lacks one of these flags.
func required(c *cli.Context, names ...string) error {
	for _, name := range names {
		if c.String(name) == "" {
			return usagef(c, "--%s is missing", name)
		}
	}
	return nil
}

// atLeast refuses a flag's number below low.
func atLeast(c *cli.Context, name string, low int) error {
	if v := c.Int(name); v < low {
		return usagef(c, "--%s %d: must be at least %d", name, v, low)
	}
	return nil
}

// noArguments refuses words after the flags, which often are a flag without
// its dashes.
func noArguments(c *cli.Context) error {
	if c.NArg() > 0 {
		return usagef(c, "%s takes no argument %q", c.Command.HelpName, c.Args().First())
	}
	return nil
}

// onlyCommands is the action of a command that does nothing without one of its
// subcommands: it shows the help, or says that there is no such subcommand.
func onlyCommands(c *cli.Context) error {
	if c.NArg() == 0 {
		return cli.ShowSubcommandHelp(c)
	}
	var names []string
	for _, sub := range c.Command.VisibleCommands() {
		names = append(names, sub.Name)
	}
	name := c.Args().First()
	if name == "help" {
		words := append([]string{c.App.Name}, c.Args().Tail()...)
		return c.App.RunContext(c.Context, append(words, "--help"))
	}
	return usagef(c, "unknown command %q%s", name, didYouMean("", nearest(name, names)))
}

var invalidValue = regexp.MustCompile(`^invalid (?:boolean )?value (".*") for (?:flag )?-(\S+): (.*)$`)

// onUsageError says in one line what is wrong with a flag. Package flag has no
// errors to test for, only their texts.
func onUsageError(c *cli.Context, err error, _ bool) error {
	text := err.Error()
	if name, ok := strings.CutPrefix(text, "flag provided but not defined: -"); ok {
		return usagef(c, "unknown flag --%s%s", name, didYouMean("--", similarFlag(c.Command, name)))
	}
	if name, ok := strings.CutPrefix(text, "flag needs an argument: -"); ok {
		return usagef(c, "--%s needs a value", name)
	}
	if m := invalidValue.FindStringSubmatch(text); m != nil {
		value, name, why := m[1], m[2], m[3]
		if why == "parse error" || strings.HasPrefix(why, "strconv.") {
			why = value + " is not a whole number"
			if _, ok := flagNamed(c.Command.Flags, name).(*cli.Float64Flag); ok {
				why = value + " is not a number"
			}
		}
		return usagef(c, "--%s: %s", name, why)
	}
	return usagef(c, "%s", text)
}

// similarFlag is the command's flag that a wrong one may stand for: one that
// the reference trainer calls so, or one that is spelled much the same.
func similarFlag(c *cli.Command, name string) string {
	var names []string
	for _, f := range c.VisibleFlags() {
		names = append(names, f.Names()[0])
	}
	for _, f := range dino.Flags {
		if f.Reference == strings.ReplaceAll(name, "-", "_") && slices.Contains(names, f.Name) {
			return f.Name
		}
	}
	return nearest(strings.ReplaceAll(name, "_", "-"), names)
}

func didYouMean(dashes, name string) string {
	if name == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %s%s?", dashes, name)
}

// nearest is the name that is the fewest edits away from a misspelled one, or
// "" where none is near. Letters left out at the end count as one edit.
func nearest(word string, names []string) string {
	best, least := "", len(word)/3+2
	for _, name := range names {
		d := edits(word, name)
		if len(word) > 1 && strings.HasPrefix(name, word) {
			d = min(d, 1)
		}
		if d < least {
			best, least = name, d
		}
	}
	return best
}

// edits is the Levenshtein distance: how many bytes to insert, delete or
// replace.
func edits(a, b string) int {
	row := make([]int, len(b)+1) // distances of a[:i] to each b[:j]
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// exitCode is what the program ends with: 2 after a mistake in the command
// line, 130 after Ctrl-C, 1 after any other error.
func exitCode(err error) int {
	var usage *usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usage):
		return 2
	case errors.Is(err, context.Canceled):
		return 130
	}
	return 1
}
