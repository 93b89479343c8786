// Package archtest holds the tests that keep the house in order: who may
// import whom, and that every folder says what it is for.
package archtest
