package chaos

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Now returns nanoseconds of the monotonic clock. Unlike the reading that a
// time.Time hides, it means the same in all processes of the machine.
func Now() int64 {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		panic(fmt.Sprintf("chaos: no monotonic clock: %v", err)) // every system has one
	}
	return now.Nano()
}
