package dino

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
)

// LogName is the log's file name in the output folder.
const LogName = "log.txt"

// LogEntry is one line of the log. The first four keys are the reference's.
type LogEntry struct {
	TrainLoss Number `json:"train_loss"` // means over the epoch's steps
	TrainLR   Number `json:"train_lr"`
	TrainWD   Number `json:"train_wd"`
	Epoch     int    `json:"epoch"`

	Step            int     `json:"step"` // optimizer steps done since the start of the run
	TeacherEntropy  Number  `json:"teacher_entropy"`
	KL              Number  `json:"kl"`
	LnK             Number  `json:"ln_k"`
	KNN             *Number `json:"knn,omitempty"` // top-1 in percent, where measured
	ImagesPerSecond Number  `json:"images_per_s"`
	Memory          int64   `json:"memory"`  // device memory in bytes
	Skipped         int     `json:"skipped"` // unreadable images met since the run was started or resumed

	// With --precision fp16: the next step's loss scale, and the updates skipped
	// so far because gradients overflowed.
	LossScale Number `json:"loss_scale,omitempty"`
	Overflows int    `json:"overflows,omitempty"`
}

// Number is a float64 that is written as null where JSON has no number for it.
type Number float64

// MarshalJSON implements json.Marshaler.
func (n Number) MarshalJSON() ([]byte, error) {
	if x := float64(n); math.IsNaN(x) || math.IsInf(x, 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// Means averages what the log reports over the steps of an epoch. It is part
// of a checkpoint, so a resumed epoch reports the same as an unbroken one.
type Means struct {
	Steps          int     `json:"steps"`
	Loss           float64 `json:"loss"` // sums
	LR             float64 `json:"lr"`
	WD             float64 `json:"wd"`
	TeacherEntropy float64 `json:"teacher_entropy"`
	KL             float64 `json:"kl"`
}

// Add counts one step.
func (m *Means) Add(loss, lr, wd, teacherEntropy, kl float64) {
	m.Steps++
	m.Loss += loss
	m.LR += lr
	m.WD += wd
	m.TeacherEntropy += teacherEntropy
	m.KL += kl
}

// Entry returns a log line of the means; the caller adds the rest.
func (m Means) Entry() LogEntry {
	n := float64(max(m.Steps, 1))
	return LogEntry{
		TrainLoss: Number(m.Loss / n), TrainLR: Number(m.LR / n), TrainWD: Number(m.WD / n),
		TeacherEntropy: Number(m.TeacherEntropy / n), KL: Number(m.KL / n),
	}
}

// Health returns the means for a diagnosis.
func (m Means) Health(lnK float64) Health {
	n := float64(max(m.Steps, 1))
	return Health{Loss: m.Loss / n, TeacherEntropy: m.TeacherEntropy / n, KL: m.KL / n, LnK: lnK}
}

// Log appends JSON lines to a file.
type Log struct {
	f    *os.File
	step int // of the last line
}

// OpenLog opens the log at path for a run that has done the given optimizer
// steps. Lines of later steps, which the run is about to write again, and a
// line that a kill cut short are removed.
func OpenLog(path string, step int) (*Log, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("log: %w", err)
	}
	keep, last, err := logPrefix(f, step)
	if err == nil {
		err = f.Truncate(keep)
	}
	if err == nil {
		_, err = f.Seek(keep, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("log %s: %w", path, err)
	}
	return &Log{f, last}, nil
}

// maxLogLine bounds what is read at once of a file that may be anything.
const maxLogLine = 1 << 16

// logPrefix returns the length of the leading lines that are whole and belong
// to steps up to step, and the last one's step.
func logPrefix(r io.Reader, step int) (keep int64, last int, err error) {
	b := bufio.NewReaderSize(r, maxLogLine)
	for {
		line, err := b.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, bufio.ErrBufferFull):
			return keep, last, nil
		case err != nil:
			return 0, 0, err
		}
		var e struct{ Step *int }
		if json.Unmarshal(line, &e) != nil || e.Step == nil || *e.Step > step {
			return keep, last, nil
		}
		keep += int64(len(line))
		last = *e.Step
	}
}

// Write appends one line and waits until it is on the disk.
func (l *Log) Write(e LogEntry) error {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(e); err != nil {
		return fmt.Errorf("log: %w", err)
	}
	if _, err := l.f.Write(b.Bytes()); err != nil {
		return fmt.Errorf("log: %w", err)
	}
	if err := l.f.Sync(); err != nil {
		return fmt.Errorf("log: %w", err)
	}
	l.step = e.Step
	return nil
}

// Close closes the file.
func (l *Log) Close() error { return l.f.Close() }
