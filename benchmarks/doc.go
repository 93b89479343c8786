// Package benchmarks measures what coatcheck costs on each store, beside the
// same work done with the store's bare client. It is a module of its own, so
// that what it compares with is no dependency of coatcheck's users.
package benchmarks
