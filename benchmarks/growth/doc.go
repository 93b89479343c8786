// Package growth turns what was measured at several sizes into docs/SCALE.md:
// curves, and a model of what many more sessions and nodes would take. The
// measurements themselves are TestGrowth, beside the benchmarks whose code they
// share.
package growth
