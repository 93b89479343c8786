//go:build coatcheck_no_freshness_rule

package nearcache

const (
	enforceFreshness = false
	enforceFillGuard = true
)
