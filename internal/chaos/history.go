package chaos

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
)

// History is everything that happened, session by session.
type History struct {
	records []Record // those of a session side by side
	ends    []int    // by session: the index behind its last record
}

// NewHistory orders records by session.
func NewHistory(records ...Record) *History {
	h, _ := collect(func(yield func(Record)) error { // fails only as its source does
		for _, r := range records {
			yield(r)
		}
		return nil
	})
	return h
}

// ReadHistory merges the files of several recorders.
func ReadHistory(paths ...string) (*History, error) {
	return collect(func(yield func(Record)) error {
		for _, path := range paths {
			if err := readFile(path, yield); err != nil {
				return fmt.Errorf("chaos: history %s: %w", path, err)
			}
		}
		return nil
	})
}

// collect goes through the records twice, so that there is never more than one
// copy of what may be millions.
func collect(each func(yield func(Record)) error) (*History, error) {
	h := &History{}
	if err := each(func(r Record) {
		for int(r.Session) >= len(h.ends) {
			h.ends = append(h.ends, 0)
		}
		h.ends[r.Session]++ // how many, for now
	}); err != nil {
		return nil, err
	}
	total := 0
	for session, n := range h.ends {
		h.ends[session] = total // where it begins, for now
		total += n
	}
	h.records = make([]Record, total)
	err := each(func(r Record) {
		h.records[h.ends[r.Session]] = r
		h.ends[r.Session]++
	})
	return h, err
}

// Len returns the number of records.
func (h *History) Len() int { return len(h.records) }

// session returns the records of one session.
func (h *History) session(n int) []Record {
	begin := 0
	if n > 0 {
		begin = h.ends[n-1]
	}
	return h.records[begin:h.ends[n]]
}

func readFile(path string, yield func(Record)) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	in := bufio.NewReaderSize(file, 1<<20)
	b := make([]byte, recordBytes)
	for {
		if _, err := io.ReadFull(in, b); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		r, possible := parseRecord(b)
		if !possible {
			return fmt.Errorf("this is no record: %+v", r)
		}
		yield(r)
	}
}
