// Package attacks holds one test for each attack that docs/SECURITY-MODEL.md says
// is withstood, made as an attacker would make it: against a site, a service or a
// store as a whole. What a single package does against it is tested there.
package attacks
