// Command dino-vk trains DINO, self-distillation with no labels (arXiv
// 2104.14294), on any Vulkan device, and looks at what it learned.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"
)

func main() {
	// The first Ctrl-C asks a run to write its checkpoint and end; the second
	// ends the program at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	if err := app().RunContext(ctx, os.Args); err != nil {
		if errors.Is(err, context.Canceled) {
			fmt.Fprintln(os.Stderr, "dino-vk: interrupted")
			os.Exit(130)
		}
		fmt.Fprintln(os.Stderr, "dino-vk:", err)
		os.Exit(1)
	}
}

func app() *cli.App {
	return &cli.App{
		Name:                 "dino-vk",
		Usage:                "self-distillation with no labels on any Vulkan device",
		EnableBashCompletion: true,
		Suggest:              true,
		HideVersion:          true,
		Commands: []*cli.Command{
			trainCommand(),
			evalCommand(),
			featuresCommand(),
			benchCommand(),
			devicesCommand(),
			completionCommand(),
		},
		// Errors are printed once, by main.
		ExitErrHandler: func(*cli.Context, error) {},
		OnUsageError: func(c *cli.Context, err error, _ bool) error {
			return fmt.Errorf("%w (see %s --help)", err, c.Command.HelpName)
		},
	}
}

// isFolder reports whether path is a folder.
func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
