// Command dino-vk trains DINO, self-distillation with no labels (arXiv
// 2104.14294), on any Vulkan device, and looks at what it learned.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"

	"dino-vk/gpu"
)

func main() { os.Exit(program(os.Args, os.Stdout)) }

// program carries out a command line and returns the exit code.
func program(args []string, stdout io.Writer) int {
	// The first Ctrl-C asks a run to write its checkpoint and end; the second
	// ends the program at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	a := app()
	a.Writer = stdout
	err := runApp(ctx, a, args)
	switch {
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(os.Stderr, "dino-vk: interrupted")
	case err != nil:
		fmt.Fprintln(os.Stderr, "dino-vk:", err)
	}
	if errors.Is(err, gpu.ErrDeviceLost) || errors.Is(err, gpu.ErrRefused) {
		fmt.Fprintln(os.Stderr, "dino-vk: a kernel or the driver may be at fault: DINOVK_DISABLE=coopmat2, or coopmat, does without matrix units; dino-vk tune tests every kernel anew")
	}
	return exitCode(err)
}

// runApp runs a command line in which flags may stand where package flag wants none.
func runApp(ctx context.Context, a *cli.App, args []string) error {
	return a.RunContext(ctx, joinSwitches(fileFirst(args)))
}

func app() *cli.App {
	cli.HelpPrinter = printHelp
	a := &cli.App{
		Name:  "dino-vk",
		Usage: "self-distillation with no labels on any Vulkan device",
		Description: "Trains a Vision Transformer on pictures without labels (DINO, arXiv 2104.14294) and\n" +
			"looks at what it learned:\n\n" +
			"  dino-vk train --data photos/ --output run\n" +
			"  dino-vk attention --checkpoint run --data photos/ --output run/attention",
		Commands: []*cli.Command{
			trainCommand(),
			importCommand(),
			recipesCommand(),
			evalCommand(),
			featuresCommand(),
			attentionCommand(),
			exportCommand(),
			dataCommand(),
			tuneCommand(),
			benchCommand(),
			devicesCommand(),
			completionCommand(),
			completeCommand(),
		},
		Action:          onlyCommands,
		HideVersion:     true,
		HideHelpCommand: true,
		OnUsageError:    onUsageError,
		// Errors are printed once, by main.
		ExitErrHandler: func(*cli.Context, error) {},
	}
	plain(a.Commands)
	return a
}

// plain gives all commands the same manners: no subcommand "help" beside
// --help, and errors of one line.
func plain(commands []*cli.Command) {
	for _, c := range commands {
		c.HideHelpCommand = true
		c.OnUsageError = onUsageError
		if len(c.Subcommands) > 0 {
			c.Action = onlyCommands
		}
		plain(c.Subcommands)
	}
}
