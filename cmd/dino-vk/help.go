package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

// Categories of commands, in the order of the help.
const (
	categoryTrain    = "Train"
	categoryLook     = "Look at what was learned"
	categoryPictures = "Pictures"
	categoryMachine  = "This machine"
)

// printHelp replaces the library's templates, which neither keep the order of
// the flags' categories nor break lines at the edge of the terminal.
func printHelp(w io.Writer, _ string, data any) {
	p := page{w: w, width: terminalWidth(w)}
	switch c := data.(type) {
	case *cli.App:
		p.text(c.Name + ": " + c.Usage)
		p.usage(c.Name+" command [flags]", c.Description)
		p.commands(c.Commands)
		p.text(fmt.Sprintf("\n%s command --help tells more of a command.", c.Name))
	case *cli.Command:
		p.text(c.HelpName + ": " + c.Usage)
		form := c.HelpName
		if len(c.VisibleCommands()) > 0 {
			form += " command"
		}
		form += " [flags]"
		if c.ArgsUsage != "" {
			form += " " + c.ArgsUsage
		}
		p.usage(form, c.Description)
		p.commands(c.Subcommands)
		p.flags(c.VisibleFlags())
	}
}

func terminalWidth(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil {
			return min(max(width, 60), 120)
		}
	}
	return 100
}

// page writes a help text.
type page struct {
	w     io.Writer
	width int
}

func (p page) text(s string) { fmt.Fprintln(p.w, s) }

func (p page) usage(form, description string) {
	p.text("\nUsage: " + form)
	if description != "" {
		p.text("\n" + description)
	}
}

// row is a name and what it means.
type row struct{ category, name, meaning string }

func (p page) commands(list []*cli.Command) {
	var rows []row
	for _, c := range list {
		if !c.Hidden {
			rows = append(rows, row{c.Category, c.Name, c.Usage})
		}
	}
	p.table("Commands", rows)
}

func (p page) flags(list []cli.Flag) {
	var rows []row
	for _, f := range list {
		r := row{name: "--" + f.Names()[0]}
		if f, ok := f.(cli.CategorizableFlag); ok {
			r.category = f.GetCategory()
		}
		if f, ok := f.(cli.DocGenerationFlag); ok {
			place, usage := placeholder(f)
			r.meaning = usage
			if place != "" && place[0] != '[' {
				r.name += " "
			}
			r.name += place
			if text := strings.Trim(f.GetDefaultText(), `"`); text != "" && text != "false" {
				r.meaning += fmt.Sprintf(" (default %s)", text)
			}
		}
		rows = append(rows, r)
	}
	p.table("Flags", rows)
}

// placeholder is what stands for the flag's value: the word that the usage has
// in back quotes, or else its kind.
func placeholder(f cli.DocGenerationFlag) (place, usage string) {
	usage = f.GetUsage()
	if before, rest, ok := strings.Cut(usage, "`"); ok {
		if name, after, ok := strings.Cut(rest, "`"); ok {
			return name, before + name + after
		}
	}
	switch f := f.(type) {
	case *cli.GenericFlag:
		return f.Value.(setting).placeholder(), usage
	case *cli.IntFlag, *cli.Uint64Flag:
		return "N", usage
	case *cli.IntSliceFlag:
		return "N,...", usage
	case *cli.Float64Flag:
		return "X", usage
	case *cli.BoolFlag:
		return "", usage
	}
	return "TEXT", usage
}

// table writes rows under the titles of their categories, which come in the
// order of their first rows; rows without one have the given title.
func (p page) table(title string, rows []row) {
	var categories []string
	in := map[string][]row{}
	longest := 0
	for _, r := range rows {
		if r.category == "" {
			r.category = title
		}
		if in[r.category] == nil {
			categories = append(categories, r.category)
		}
		in[r.category] = append(in[r.category], r)
		longest = max(longest, len(r.name))
	}
	for _, category := range categories {
		p.text("\n" + strings.ToUpper(category[:1]) + category[1:] + ":")
		for _, r := range in[category] {
			lines := fold(r.meaning, p.width-longest-4)
			fmt.Fprintf(p.w, "  %-*s  %s\n", longest, r.name, lines[0])
			for _, line := range lines[1:] {
				fmt.Fprintf(p.w, "  %-*s  %s\n", longest, "", line)
			}
		}
	}
}

// fold breaks a text between words into lines of at most width characters,
// unless a word alone is longer.
func fold(text string, width int) []string {
	lines := []string{""}
	length := 0
	for word := range strings.FieldsSeq(text) {
		n := utf8.RuneCountInString(word)
		last := &lines[len(lines)-1]
		switch {
		case length == 0:
			*last, length = word, n
		case length+1+n <= width:
			*last += " " + word
			length += 1 + n
		default:
			lines = append(lines, word)
			length = n
		}
	}
	return lines
}
