package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"sync/atomic"

	"github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"

	"dino-vk/dino"
	"dino-vk/dino/data"
)

func inspectCommand() *cli.Command {
	var flags dino.Config
	return &cli.Command{
		Name:  "inspect",
		Usage: "count pictures, classes, sizes, and what can't be read",
		Flags: append(configFlags(&flags, sourceSetting),
			&cli.BoolFlag{Name: "decode", Usage: "decode every picture, not only its header, to find damaged ones"},
		),
		Action: func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			config, err := mergeConfig(c, flags, 0)
			if err != nil {
				return err
			}
			set, err := openSet(c, config)
			if err != nil {
				return err
			}
			defer set.Close()
			s, err := survey(c.Context, set, workers(config.NumWorkers), c.Bool("decode"))
			if err != nil {
				return err
			}
			s.print(c.App.Writer, config.Data)
			return nil
		},
	}
}

// summary is what is told of a set of pictures.
type summary struct {
	pictures  int
	formats   []count
	classes   []count
	unlabeled int
	sizes     []data.Header // the readable ones, rising in pixels
	decoder   string        // of JPEG files, empty without any
	skipped   []error
}

type count struct {
	name string
	n    int
}

// survey describes a set by its headers and, if decode says so, tries to decode
// everything.
func survey(ctx context.Context, set *data.Set, workers int, decode bool) (*summary, error) {
	headers, errs := make([]data.Header, set.Len()), make([]error, set.Len())
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range workers {
		group.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= set.Len() {
					return nil
				}
				headers[i], errs[i] = set.Header(ctx, i)
				if decode && errs[i] == nil {
					_, errs[i] = set.Decode(ctx, i)
				}
				if err := ctx.Err(); err != nil {
					return err
				}
			}
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	s := &summary{skipped: set.Skipped, decoder: set.JPEG}
	formats, classes := map[string]int{}, make([]int, len(set.Classes()))
	for i, h := range headers {
		if errs[i] != nil {
			s.skipped = append(s.skipped, errs[i])
			continue
		}
		s.pictures++
		formats[h.Format]++
		s.sizes = append(s.sizes, h)
		if label := set.Label(i); label >= 0 {
			classes[label]++
		} else {
			s.unlabeled++
		}
	}
	for name, n := range formats {
		s.formats = append(s.formats, count{cmp.Or(name, "unknown"), n})
	}
	slices.SortFunc(s.formats, func(a, b count) int {
		return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.name, b.name))
	})
	for i, n := range classes {
		s.classes = append(s.classes, count{set.Classes()[i], n})
	}
	slices.SortStableFunc(s.sizes, func(a, b data.Header) int { return cmp.Compare(a.W*a.H, b.W*b.H) })
	return s, nil
}

func (s *summary) print(w io.Writer, name string) {
	classes := "without classes"
	if n := len(s.classes); n > 0 {
		classes = fmt.Sprintf("in %d classes", n)
	}
	fmt.Fprintf(w, "%s: %d pictures %s\n", name, s.pictures, classes)
	if n := len(s.sizes); n > 0 {
		at := func(i int) string { return fmt.Sprintf("%d x %d", s.sizes[i].W, s.sizes[i].H) }
		fmt.Fprintf(w, "sizes: smallest %s, median %s, largest %s\n", at(0), at(n/2), at(n-1))
	}
	section := func(title string, counts []count) {
		if len(counts) == 0 {
			return
		}
		fmt.Fprintf(w, "%s:\n", title)
		for _, c := range counts {
			fmt.Fprintf(w, "%8d  %s\n", c.n, c.name)
		}
	}
	section("formats", s.formats)
	if s.decoder != "" {
		fmt.Fprintf(w, "JPEG decoder: %s\n", s.decoder)
	}
	if s.unlabeled > 0 && len(s.classes) > 0 {
		s.classes = append(s.classes, count{"(no class)", s.unlabeled})
	}
	section("classes", s.classes)
	if len(s.skipped) > 0 {
		fmt.Fprintf(w, "left out: %d\n", len(s.skipped))
		for _, err := range s.skipped {
			fmt.Fprintf(w, "          %v\n", err)
		}
	}
}
