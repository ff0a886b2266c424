package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"dino-vk/dino"
)

// console shows a run: a progress bar on a terminal, plain lines elsewhere.
type console struct {
	w         io.Writer
	bar       *progressbar.ProgressBar // nil where the output is no terminal
	begun     time.Time
	firstStep int
	lastLine  time.Time
}

// lineEvery is the least time between two plain lines.
const lineEvery = 5 * time.Second

func newConsole(w io.Writer, done, steps int) *console {
	c := &console{w: w, begun: time.Now(), firstStep: done}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		c.bar = progressbar.NewOptions(steps,
			progressbar.OptionSetWriter(w),
			progressbar.OptionSetPredictTime(true),
			progressbar.OptionShowCount(),
			progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionFullWidth(),
			progressbar.OptionClearOnFinish(),
		)
		// The bar is only a picture: that it can't be drawn is no error.
		_ = c.bar.Set(done)
	}
	return c
}

// Step implements dino.Observer.
func (c *console) Step(r dino.StepReport) {
	text := fmt.Sprintf("epoch %d  loss %.4f  %.1f images/s", r.Epoch, r.Loss, r.ImagesPerSecond)
	if c.bar != nil {
		c.bar.Describe(text)
		_ = c.bar.Set(r.Step)
		return
	}
	now := time.Now()
	if now.Sub(c.lastLine) < lineEvery && r.Step < r.Steps {
		return
	}
	c.lastLine = now
	perStep := now.Sub(c.begun) / time.Duration(max(1, r.Step-c.firstStep))
	eta := (perStep * time.Duration(r.Steps-r.Step)).Round(time.Second)
	fmt.Fprintf(c.w, "step %d/%d  %s  lr %.2e  wd %.3f  entropy %.3f  kl %.4f  eta %v\n",
		r.Step, r.Steps, text, r.LR, r.WeightDecay, r.Entropy, r.KL, eta)
}

// Epoch implements dino.Observer.
func (c *console) Epoch(e dino.LogEntry, diagnosis string) {
	text := fmt.Sprintf("epoch %d  mean loss %.4f  teacher entropy %.3f of ln K = %.3f  kl %.4f", e.Epoch, e.TrainLoss, e.TeacherEntropy, e.LnK, e.KL)
	if e.KNN != nil {
		text += fmt.Sprintf("  k-NN %.2f %%", *e.KNN)
	}
	c.line("%s", text)
	if diagnosis != "" {
		c.line("warning: %s", diagnosis)
	}
}

// Measuring implements dino.Observer.
func (c *console) Measuring(pictures int) {
	c.line("measuring the teacher by k-NN on %d pictures", pictures)
}

// Skipped implements dino.Observer.
func (c *console) Skipped(err error) { c.line("skipped: %v", err) }

// line prints a whole line above the bar.
func (c *console) line(format string, args ...any) {
	if c.bar != nil {
		_ = c.bar.Clear()
	}
	fmt.Fprintf(c.w, format+"\n", args...)
	if c.bar != nil {
		_ = c.bar.RenderBlank()
	}
}

// close leaves the terminal clean.
func (c *console) close() {
	if c.bar != nil {
		_ = c.bar.Clear()
	}
}
