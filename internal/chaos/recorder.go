package chaos

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"sync"
)

// Recorder appends records to a file. It is safe for concurrent use.
type Recorder struct {
	mu   sync.Mutex
	file *os.File
	out  *bufio.Writer
	err  error // the first
	b    []byte
}

// NewRecorder begins a file of records.
func NewRecorder(path string) (*Recorder, error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("chaos: record: %w", err)
	}
	return &Recorder{file: file, out: bufio.NewWriterSize(file, 1<<20)}, nil
}

// Add appends a record. Close tells of errors.
func (r *Recorder) Add(record Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.b = record.append(r.b[:0])
	if _, err := r.out.Write(r.b); err != nil && r.err == nil {
		r.err = err
	}
}

// Close completes the file, and returns the first error that there was.
func (r *Recorder) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := errors.Join(r.err, r.out.Flush(), r.file.Close()); err != nil {
		return fmt.Errorf("chaos: record: %w", err)
	}
	return nil
}
