//go:build !unix

package main

import "time"

var begun = time.Now()

// cpuTime is the clock's time, where the processors' is not to be had.
func cpuTime() (time.Duration, error) { return time.Since(begun), nil }
