// Package compare holds coatcheck beside its rivals in one run, and writes what
// came out to docs/COMPARISON.md. The tests of this package are the command: they
// start the servers.
package compare
