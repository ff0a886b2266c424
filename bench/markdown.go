package bench

import (
	"cmp"
	"fmt"
	"strings"

	"dino-vk/dino"
	"dino-vk/gpu"
)

// Markdown is the result for people.
func (r *Result) Markdown() string {
	var b strings.Builder
	d := r.Device
	fmt.Fprintf(&b, "# %s\n\n", d.Name)
	fmt.Fprintf(&b, "%s, %s %s, Vulkan %s, subgroups of %d, %d host threads\n", d.Kind, d.Driver, d.DriverVersion, d.Vulkan, d.SubgroupSize, d.HostThreads)
	if d.Features != "" {
		fmt.Fprintf(&b, "Features: %s\n", strings.ReplaceAll(d.Features, ",", ", "))
	}
	if d.SwitchedOff != "" {
		fmt.Fprintf(&b, "Switched off for their faults: %s\n", strings.ReplaceAll(d.SwitchedOff, ",", ", "))
	}
	if p := r.Peaks; p != nil {
		b.WriteString("\n## Peaks\n\n" + p.String() + "\n")
	}
	if len(r.Steps) > 0 {
		b.WriteString("\n## Training steps\n\n")
		table(&b, []string{"recipe", "precision", "batch", "images/s", "ms a step", "quartiles", "steps", "GFLOP/s", "% of peak"})
		for _, s := range r.Steps {
			row(&b, s.Recipe, s.Precision, s.Batch, figure(s.ImagesPerSecond), figure(s.Milliseconds.Median), s.Milliseconds.between(),
				s.Count, figure(s.GFLOPs), r.Peaks.compute(torchTypes[narrowTypes[s.Precision]], s.GFLOPs))
		}
	}
	if len(r.PyTorch) > 0 {
		b.WriteString("\n## Beside PyTorch\n\n")
		for _, p := range r.PyTorch {
			b.WriteString("- " + p.String() + "\n")
		}
	}
	if len(r.Goals) > 0 {
		b.WriteString("\n## Goals\n\n")
		for _, g := range r.Goals {
			b.WriteString("- " + g.String() + "\n")
		}
	}
	if len(r.Host)+len(r.Growth) > 0 {
		b.WriteString("\n## Host and growth\n\n")
		for _, h := range r.Host {
			b.WriteString("- " + h.String() + "\n")
		}
		for _, g := range r.Growth {
			b.WriteString("- " + g.String() + "\n")
		}
	}
	recipe := ""
	if len(r.Pairs) > 0 {
		b.WriteString("\n## Kernels beside PyTorch\n\nMilliseconds.\n\n")
		table(&b, []string{"recipe", "batch", "operation", "shape", "pass", "type", "dino-vk", "PyTorch plain", "best", "how", "ratio"})
		for _, p := range r.Pairs {
			row(&b, p.Recipe, p.Batch, p.Operation, p.Shape, p.Pass, p.Type, figure(p.Ours), figure(p.Plain), figure(p.Best), p.How, figure(p.Ratio()))
		}
	}
	if r.Roofline() != "" {
		fmt.Fprintf(&b, "\n![Kernels below the device's roofs](%s.svg)\n", r.Slug())
	}
	for _, k := range r.Kernels {
		if k.Recipe != recipe {
			recipe = k.Recipe
			fmt.Fprintf(&b, "\n## Kernels: %s, batch %d\n\n", k.Recipe, k.Batch)
			table(&b, []string{"operation", "shape", "pass", "type", "ms", "quartiles", "GFLOP/s", "%", "GB/s", "%", "kernels: ms"})
		}
		row(&b, k.Operation, k.Shape, k.Pass, cmp.Or(k.Type, torchTypes[gpu.F32]), figure(k.Milliseconds.Median), k.Milliseconds.between(),
			figure(k.GFLOPs), r.Peaks.compute(k.Type, k.GFLOPs), figure(k.GBs), r.Peaks.memory(k.GBs), k.parts())
	}
	recipe = ""
	for _, v := range r.Variants {
		if v.Recipe != recipe {
			recipe = v.Recipe
			fmt.Fprintf(&b, "\n## Variants: %s, batch %d\n\n", v.Recipe, v.Batch)
			table(&b, []string{"operation", "shape", "pass", "type", "ms", "GFLOP/s", "%", "GB/s", "%", "picked", "variants"})
		}
		picked := ""
		if v.Picked {
			picked = "yes"
		}
		row(&b, v.Operation, v.Shape, v.Pass, v.Type, figure(v.Milliseconds.Median), figure(v.GFLOPs), r.Peaks.compute(v.Type, v.GFLOPs),
			figure(v.GBs), r.Peaks.memory(v.GBs), picked, strings.Join(v.Variants, ", "))
	}
	if len(r.Shaders) > 0 {
		b.WriteString("\n## Compiled shaders\n\n")
		table(&b, []string{"shader", "use", "subgroup", "vector registers", "scalar", "spilled", "scratch bytes", "shared bytes", "code bytes"})
		for _, c := range r.Shaders {
			row(&b, c.Shader, c.Use, c.SubgroupSize, c.Vector, c.Scalar, c.Spills, c.ScratchBytes, c.SharedBytes, c.CodeBytes)
		}
	}
	return b.String()
}

// String says the peaks in a line.
func (p *Peaks) String() string {
	s := fmt.Sprintf("%s GFLOP/s of fp32 multiply-adds; %s GB/s read and written (by a shader %s, by vkCmdCopyBuffer %s)",
		figure(p.GFLOPs), figure(p.GBs), figure(p.CopyShader), figure(p.CopyBuffer))
	for _, m := range []struct {
		name string
		rate float64
	}{{dino.FP16, p.MatrixFP16}, {dino.BF16, p.MatrixBF16}} {
		if m.rate > 0 {
			s += fmt.Sprintf("; %s GFLOP/s of %s products on matrix units", figure(m.rate), m.name)
		}
	}
	return s
}

// String says the speed of the steps in a line.
func (s Steps) String() string {
	return fmt.Sprintf("%s, batch %d, %s: %s images/s; %s ms a step (half of %d steps: %s), %s GFLOP/s",
		s.Recipe, s.Batch, s.Precision, figure(s.ImagesPerSecond), figure(s.Milliseconds.Median), s.Count, s.Milliseconds.between(), figure(s.GFLOPs))
}

// Line says in columns how fast a kernel is.
func (k Kernel) Line(p *Peaks) string {
	return fmt.Sprintf("%-22s %-46s %-8s %-8s %9s ms %7s GFLOP/s %5s %7s GB/s %5s", k.Operation, k.Shape, k.Pass, k.Type,
		figure(k.Milliseconds.Median), figure(k.GFLOPs), p.compute(k.Type, k.GFLOPs), figure(k.GBs), p.memory(k.GBs))
}

func (k Kernel) parts() string {
	var list []string
	for _, p := range k.Parts {
		one := p.Kernel
		if p.Commands > 1 {
			one += fmt.Sprintf(" ×%d", p.Commands)
		}
		list = append(list, one+": "+figure(p.Milliseconds))
	}
	return strings.Join(list, ", ")
}

func (s Spread) between() string { return figure(s.LowerQuartile) + " to " + figure(s.UpperQuartile) }

// compute is a rate of arithmetic on elements of a type in percent of the peak,
// that of the matrix units where there are some for it, empty without one.
func (p *Peaks) compute(typ string, gflops float64) string {
	if p == nil {
		return ""
	}
	peak := map[string]float64{torchTypes[gpu.F16]: p.MatrixFP16, torchTypes[gpu.BF16]: p.MatrixBF16}[typ]
	return percent(gflops, cmp.Or(peak, p.GFLOPs))
}

// memory is a rate of memory traffic in percent of the peak.
func (p *Peaks) memory(gbs float64) string {
	if p == nil {
		return ""
	}
	return percent(gbs, p.GBs)
}

func percent(x, of float64) string {
	if x == 0 || of == 0 {
		return ""
	}
	return figure(100*x/of) + " %"
}

// figure writes three significant digits, and nothing for 0.
func figure(x float64) string {
	switch {
	case x == 0:
		return ""
	case x >= 100:
		return fmt.Sprintf("%.0f", x)
	case x >= 10:
		return fmt.Sprintf("%.1f", x)
	case x >= 1:
		return fmt.Sprintf("%.2f", x)
	}
	return fmt.Sprintf("%.3g", x)
}

// table begins a table with its heading.
func table(b *strings.Builder, columns []string) {
	fmt.Fprintf(b, "| %s |\n|%s\n", strings.Join(columns, " | "), strings.Repeat(" --- |", len(columns)))
}

func row(b *strings.Builder, cells ...any) {
	for _, c := range cells {
		fmt.Fprintf(b, "| %v ", c)
	}
	b.WriteString("|\n")
}
