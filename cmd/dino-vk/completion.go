package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"dino-vk/dino"
	"dino-vk/dino/data"
	"dino-vk/resnet"
)

// completeCommandName is the hidden command that the scripts ask what may stand
// at the cursor.
const completeCommandName = "__complete"

// The scripts hand over the words up to the cursor. Where the program offers
// nothing, the shell completes file names.
var completionScripts = map[string]string{
	"bash": `_dino_vk() {
  local IFS=$'\n'
  COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f1)" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o bashdefault -o default -F _dino_vk dino-vk
`,
	"zsh": `#compdef dino-vk
_dino_vk() {
  local -a lines
  lines=("${(@f)$("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "${lines[1]}" ]]; then
    lines=("${(@)lines//:/\\:}")
    lines=("${(@)lines/	/:}")
    _describe 'dino-vk' lines
  else
    _files
  fi
}
compdef _dino_vk dino-vk
`,
	"fish": `function __dino_vk
  set -l words (commandline -opc)
  $words[1] __complete $words[2..-1] (commandline -ct) 2>/dev/null
end
complete -c dino-vk -f -n '__dino_vk | string length -q' -a '(__dino_vk)'
`,
}

func completionCommand() *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Category:  categoryMachine,
		Usage:     "print the completion script of a shell",
		ArgsUsage: "bash|zsh|fish",
		Description: "bash: source <(dino-vk completion bash)\n" +
			"zsh:  source <(dino-vk completion zsh)\n" +
			"fish: dino-vk completion fish | source",
		Action: func(c *cli.Context) error {
			script, ok := completionScripts[c.Args().First()]
			if !ok || c.NArg() != 1 {
				return usagef(c, "name one shell of bash, zsh, fish")
			}
			_, err := fmt.Fprint(c.App.Writer, script)
			return err
		},
	}
}

// completeCommand prints what may stand in place of its last argument after the
// ones before, each with a tab and its meaning if it has one.
func completeCommand() *cli.Command {
	return &cli.Command{
		Name: completeCommandName, Hidden: true, HideHelp: true, SkipFlagParsing: true,
		Action: func(c *cli.Context) error {
			words := c.Args().Slice()
			if len(words) == 0 {
				return nil
			}
			last := len(words) - 1
			for _, r := range complete(c.App.Commands, words[:last], words[last]) {
				fmt.Fprintln(c.App.Writer, strings.TrimSuffix(r.name+"\t"+r.meaning, "\t"))
			}
			return nil
		},
	}
}

// complete lists what may stand at the cursor after words: subcommands, the
// values of a flag that has a few, or flags where a dash is typed already.
func complete(commands []*cli.Command, words []string, typed string) []row {
	var flags []cli.Flag
	var open cli.Flag // waits for its value
	for _, word := range words {
		switch {
		case open != nil:
			open = nil
		case strings.HasPrefix(word, "-"):
			if f := flagNamed(flags, strings.TrimLeft(word, "-")); f != nil && takesValue(f) {
				open = f
			}
		default:
			if i := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(word) }); i >= 0 {
				commands, flags = commands[i].Subcommands, commands[i].Flags
			}
		}
	}
	var list []row
	add := func(name, meaning string) {
		if strings.HasPrefix(name, typed) {
			list = append(list, row{name: name, meaning: meaning})
		}
	}
	switch {
	case open != nil:
		for _, value := range flagValues(open.Names()[0]) {
			add(value, "")
		}
	case strings.HasPrefix(typed, "-"):
		for _, f := range flags {
			name := "--" + f.Names()[0]
			if doc, ok := f.(cli.DocGenerationFlag); ok && !slices.Contains(words, name) {
				_, usage := placeholder(doc)
				add(name, usage)
			}
		}
		add("--help", "show help")
	default:
		for _, c := range commands {
			if !c.Hidden {
				add(c.Name, c.Usage)
			}
		}
	}
	return list
}

func flagNamed(flags []cli.Flag, name string) cli.Flag {
	i := slices.IndexFunc(flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) })
	if i < 0 {
		return nil
	}
	return flags[i]
}

// takesValue reports whether the flag's value is the next word.
func takesValue(f cli.Flag) bool {
	if g, ok := f.(*cli.GenericFlag); ok {
		if s, ok := g.Value.(setting); ok && s.IsBoolFlag() {
			return false
		}
	}
	doc, ok := f.(cli.DocGenerationFlag)
	return ok && doc.TakesValue()
}

// flagValues are the values of a flag that has only a few.
func flagValues(name string) []string {
	switch name {
	case "arch":
		return dino.ArchNames()
	case "stem":
		return resnet.Stems()
	case "network":
		return []string{"teacher", "student"}
	case "recipe":
		return recipeNames()
	case "optimizer":
		return dino.Optimizers()
	case "jpeg":
		return data.JPEGDecoders()
	case "format":
		return formatNames()
	}
	return nil
}
