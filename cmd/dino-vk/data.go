package main

import "github.com/urfave/cli/v2"

func dataCommand() *cli.Command {
	return &cli.Command{
		Name:     "data",
		Category: categoryPictures,
		Usage:    "look at pictures before training on them, and pack them",
		Subcommands: []*cli.Command{
			inspectCommand(),
			cropsCommand(),
			packCommand(),
			speedCommand(),
			shapesCommand(),
		},
	}
}
