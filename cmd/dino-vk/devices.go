package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"dino-vk/gpu"
)

func devicesCommand() *cli.Command {
	return &cli.Command{
		Name:     "devices",
		Category: categoryMachine,
		Usage:    "list the Vulkan devices and what they can do",
		Action: func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			list, err := gpu.Devices()
			if err != nil {
				return err
			}
			for _, d := range list {
				printDevice(c, d)
			}
			return nil
		},
	}
}

func printDevice(c *cli.Context, d gpu.Info) {
	w := c.App.Writer
	fmt.Fprintf(w, "%d  %s\n", d.Index, d.Name)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "   %-14s %s\n", name, fmt.Sprintf(format, args...))
	}
	row("kind", "%v", d.Kind)
	row("driver", "%s %s", d.Driver, d.DriverVersion)
	row("Vulkan", "%s", d.API)
	row("UUID", "%v", d.DeviceUUID)
	for i, h := range d.Heaps {
		where := "host"
		if h.Local {
			where = "device"
		}
		row(fmt.Sprintf("heap %d", i), "%s, %s memory", gpu.FormatBytes(h.Bytes), where)
	}
	row("binding", "%s at most", gpu.FormatBytes(d.MaxBinding))
	row("workgroup", "%d invocations, %s shared memory, subgroups of %d", d.MaxInvocations, gpu.FormatBytes(int64(d.SharedBytes)), d.SubgroupSize)
	row("features", "%v", d.Features)
	for _, p := range d.Products {
		row("matrix units", "%v", p)
	}
	if !d.Compute {
		row("usable", "no: it lacks a compute queue or Vulkan 1.1")
	}
}

// openDevice opens a device and says which variants of kernels
// are switched off there. With again it is tested anew.
func openDevice(c *cli.Context, o gpu.Options, again bool) (*gpu.Device, error) {
	dev, err := gpu.OpenTuned(c.Context, o, again, samples)
	if err != nil {
		return nil, err
	}
	for _, f := range dev.Faults() {
		fmt.Fprintf(c.App.ErrWriter, "%s, driver %s %s: kernel variant %s is switched off: %s\n",
			dev.Info().Name, dev.Info().Driver, dev.Info().DriverVersion, f.Variant, f.Reason)
	}
	return dev, nil
}
