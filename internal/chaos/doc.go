// Package chaos proves coatcheck's promises on what really happened: several
// processes use the same sessions on a real server, behind connections that
// stall and break, while servers and processes are stopped, killed and emptied.
// Each records what it asked and was told, and when; afterwards every record is
// held against the promises.
//
// The machine's monotonic clock, which all of its processes share, makes the
// histories of several processes one.
package chaos
